// The process: one for every role. This file alone is JavaScript: to take the types out of it, which happens before its first line can say where what comes
// of that is kept, Node would load a parser and keep it, some 12 MB, for as long as the process lives.
import { enableCompileCache, flushCompileCache } from 'node:module';
import { join } from 'node:path';
import { isatty } from 'node:tty';
import { setFlagsFromString } from 'node:v8';

// Under nohup a closed terminal must not end us while we start either: what awaits signals (await-signal.ts), and decides likewise, is loaded later, and Node has
// forgotten that SIGHUP was ignored. With a terminal SIGHUP ends us at once until then.
if (![0, 1, 2].some((fd) => isatty(fd))) process.on('SIGHUP', () => {});

// By default V8 lets the old part of its heap grow to several times what lives in it before it collects it. Half as much again costs one to two per cent
// of the process's time at load rather than none, and takes 40 to 70 MB less than twice as much.
setFlagsFromString('--heap-growing-percent=50');
// Where most of what a place of the code makes survives a collection, as requests may do while a process warms up, V8 makes it in the old
// part from then on, for good. There it is not collected when it is over, and keeps alive all that it points to: a third more time for each
// event that is taken in.
setFlagsFromString('--no-allocation-site-pretenuring');
// How far the young part may grow has to be told before there is a heap: `npm start` and the image do (docs/operations.md, "Memory").

// What Node makes of each file (types taken out, compiled) is kept beside the packages: the next start takes half the time and less memory.
// Nothing of ours may be imported before this line. Where the folder cannot be written, nothing is kept and all goes as before.
enableCompileCache(join(import.meta.dirname, '../node_modules/.cache/compiled'));
const { start } = await import('./start.ts');
// Not only at the end, which a process that is killed does not reach.
flushCompileCache();

process.exit(await start(process.argv.slice(2)));
