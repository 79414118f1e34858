/** What is used of a profile of `--cpu-prof`, as V8 writes it (Chrome DevTools Protocol, domain `Profiler`). Times are in microseconds. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  /** The node that was on top of the stack, sample by sample. */
  readonly samples: readonly number[];
  /** Before each sample. */
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

interface Frame {
  readonly name: string;
  us: number;
  readonly children: Map<string, Frame>;
}

/** Which part of the profile is drawn, as shares of its length: neither the start of the process nor its end. */
export interface Part {
  readonly from: number;
  readonly to: number;
}

const WIDTH = 1_200;
const ROW = 16;
/** Narrower ones are left out, in pixels. */
const LEAST = 0.6;
const LETTER = 6.2;

/** A flame graph as SVG: width is time, callers stand beneath what they called. Idle time is left out. */
export function flameGraph(profile: CpuProfile, title: string, part: Part): string {
  const root = framesOf(profile, part);
  const boxes: string[] = [];
  const rows = depthOf(root, root.us);
  const draw = (frame: Frame, x: number, row: number) => {
    const width = (frame.us / root.us) * WIDTH;
    if (width < LEAST) return;
    boxes.push(boxOf(frame, { x, width, y: (rows - row) * ROW + 2 * ROW, share: frame.us / root.us }));
    let at = x;
    for (const child of [...frame.children.values()].sort((a, b) => a.name.localeCompare(b.name))) {
      draw(child, at, row + 1);
      at += (child.us / root.us) * WIDTH;
    }
  };
  draw(root, 0, 0);
  const height = (rows + 3) * ROW;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="monospace" font-size="10">
<title>${escaped(title)}</title><rect width="100%" height="100%" fill="#fff"/><text x="6" y="14" font-size="12">${escaped(title)}</text>
${boxes.join('\n')}
</svg>
`;
}

function framesOf({ nodes, samples, timeDeltas }: CpuProfile, { from, to }: Part): Frame {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id] as const)));
  const total = timeDeltas.reduce((sum, delta) => sum + delta, 0);
  const root = newFrame('all');
  let at = 0;
  for (const [i, id] of samples.entries()) {
    at += timeDeltas[i]!;
    if (at < from * total || at > to * total || isIdle(byId.get(id)!)) continue;
    const stack: ProfileNode[] = [];
    for (let node = byId.get(id); node !== undefined; node = byId.get(parents.get(node.id) ?? -1)) stack.push(node);
    add(root, stack.reverse().slice(1), timeDeltas[i]!);
  }
  return root;
}

function add(root: Frame, stack: readonly ProfileNode[], us: number): void {
  let frame = root;
  frame.us += us;
  for (const node of stack) {
    const name = nameOf(node);
    const child = frame.children.get(name) ?? newFrame(name);
    frame.children.set(name, child);
    child.us += us;
    frame = child;
  }
}

const newFrame = (name: string): Frame => ({ name, us: 0, children: new Map() });

const isIdle = ({ callFrame: { functionName } }: ProfileNode) => functionName === '(idle)';

/** The function, and the file beneath `src` or the package that it is of. */
function nameOf({ callFrame: { functionName, url } }: ProfileNode): string {
  const place = /(?:node_modules\/((?:@[^/]+\/)?[^/]+)|\/(src\/.*)|(node:.*))/.exec(url);
  const where = place?.[1] ?? place?.[2] ?? place?.[3] ?? '';
  return `${functionName === '' ? '(anonymous)' : functionName}${where === '' ? '' : ` ${where}`}`;
}

function depthOf(frame: Frame, total: number): number {
  let deepest = 0;
  for (const child of frame.children.values())
    if ((child.us / total) * WIDTH >= LEAST) deepest = Math.max(deepest, 1 + depthOf(child, total));
  return deepest;
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly share: number;
}

function boxOf({ name }: Frame, { x, y, width, share }: Box): string {
  const letters = Math.floor((width - 4) / LETTER);
  const text =
    letters < 3 ? '' : `<text x="${(x + 2).toFixed(1)}" y="${y + 11}">${escaped(name.slice(0, letters))}</text>`;
  return `<g><title>${escaped(name)}, ${(share * 100).toFixed(1)} %</title><rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 1}" fill="${colourOf(name)}"/>${text}</g>`;
}

/** Ours, packages', Node's and V8's own, each a colour. */
function colourOf(name: string): string {
  if (name.includes(' src/')) return '#f4a582';
  if (name.includes(' node:')) return '#92c5de';
  if (name.startsWith('(') || !name.includes(' ')) return '#d9d9d9';
  return '#fddc9b';
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
