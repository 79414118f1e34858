/** Lines on their way out, in order. */
export interface LineGatherer {
  readonly write: (line: string) => void;
  /** Hands on what is there. */
  readonly drain: () => void;
}

/** Characters after which a block is handed on, and how long a line waits for others at the most, in ms. */
const BLOCK_LENGTH = 8_192;
const WAIT_MS = 200;

/** Makes blocks of lines: what writes them (SonicBoom) counts the bytes of all that it holds with each piece that comes. */
export function gatherLines(writeBlock: (block: string) => void): LineGatherer {
  let block = '';
  let timer: NodeJS.Timeout | undefined;
  const drain = () => {
    clearTimeout(timer);
    timer = undefined;
    if (block === '') return;
    const full = block;
    block = '';
    writeBlock(full);
  };
  const write = (line: string) => {
    block += line;
    if (block.length >= BLOCK_LENGTH) drain();
    else timer ??= setTimeout(drain, WAIT_MS).unref();
  };
  return { write, drain };
}
