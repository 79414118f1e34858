import { stringEnd } from './json-slices.ts';

/** Characters of a name that a path tells: what is found many times within one name is not to hold that as often. */
const SHOWN = 100;

/** An object or array that the walk is in. */
interface Frame {
  /** The names that it had; null for an array. */
  readonly names: Set<string> | null;
  /** Where in it the walk is: a name, or the place of an element. */
  at: string | number;
  /** Whether the next string is a name. */
  wantsName: boolean;
}

/**
 * Dotted paths of names that an object has more than once, at any depth: of several members of a name `JSON.parse` keeps the last, and others that
 * read the text may keep another. Of long names the paths have the beginning. What is below the members `apart` of the whole is passed over.
 * @param text valid JSON
 * @param most when so many are found the rest is not looked at
 */
export function repeatedNames(text: string, most: number, apart: readonly string[] = []): readonly string[] {
  const open: Frame[] = [];
  const found = new Set<string>();
  for (let i = 0; i < text.length && found.size < most; i++) {
    const frame = open.at(-1);
    switch (text[i]) {
      case '"': {
        const end = stringEnd(text, i);
        if (frame?.wantsName) {
          frame.wantsName = false;
          if (!isApart(open, apart) && isRepeated(frame, text.slice(i, end + 1))) found.add(pathOf(open));
        }
        i = end;
        break;
      }
      case '{':
        open.push({ names: new Set(), at: '', wantsName: true });
        break;
      case '[':
        open.push({ names: null, at: 0, wantsName: false });
        break;
      case '}':
      case ']':
        open.pop();
        break;
      case ',':
        if (frame!.names === null) frame!.at = Number(frame!.at) + 1;
        else frame!.wantsName = true;
    }
  }
  return [...found];
}

/** Notes the name that a string of JSON spells. */
function isRepeated(frame: Frame, spelled: string): boolean {
  const name = spelled.includes('\\') ? (JSON.parse(spelled) as string) : spelled.slice(1, -1);
  const { size } = frame.names!;
  frame.at = name;
  return frame.names!.add(name).size === size;
}

function pathOf(open: readonly Frame[]): string {
  return open.map(({ at }) => String(at).slice(0, SHOWN)).join('.');
}

function isApart(open: readonly Frame[], apart: readonly string[]): boolean {
  return open.length > 1 && apart.includes(String(open[0]!.at));
}
