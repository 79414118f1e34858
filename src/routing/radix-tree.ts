interface RadixNode<V> {
  /** The characters between the parent and this node. */
  label: string;
  values: V[] | null;
  children: Map<number, RadixNode<V>> | null;
  /** The search that was here last. */
  seq: number;
}

/** Values by text, found by any text that begins with theirs: time is the length of that text, however many there are. */
export class RadixTree<V> {
  readonly #root: RadixNode<V> = { label: '', values: null, children: null, seq: 0 };
  #seq = 0;
  size = 0;

  add(key: string, value: V): void {
    this.size++;
    let node = this.#root;
    let rest = key;
    while (rest !== '') {
      node.children ??= new Map();
      const code = rest.charCodeAt(0);
      const child = node.children.get(code);
      if (child === undefined) {
        node.children.set(code, { label: rest, values: [value], children: null, seq: 0 });
        return;
      }
      const common = commonLength(child.label, rest);
      node = common === child.label.length ? child : split(node, child, common);
      rest = rest.slice(common);
    }
    node.values ??= [];
    node.values.push(value);
  }

  delete(key: string, value: V): void {
    this.size--;
    remove(this.#root, key, value);
  }

  /** Calls for each value with whose text `text` begins. */
  visit(text: string, visit: (value: V) => void): void {
    this.#visitAt(text, 0, ++this.#seq, visit);
  }

  /** Calls for each value whose text is anywhere in `text`, once. */
  visitWithin(text: string, visit: (value: V) => void): void {
    const seq = ++this.#seq;
    for (let from = 0; from < text.length; from++) this.#visitAt(text, from, seq, visit);
  }

  #visitAt(text: string, from: number, seq: number, visit: (value: V) => void): void {
    let node: RadixNode<V> | undefined = this.#root;
    let at = from;
    while (node !== undefined) {
      if (node.label.length > 1 && !text.startsWith(node.label, at)) return;
      at += node.label.length;
      if (node.values !== null && node.seq !== seq) {
        node.seq = seq;
        for (const value of node.values) visit(value);
      }
      node = node.children === null || at >= text.length ? undefined : node.children.get(text.charCodeAt(at));
    }
  }
}

function commonLength(a: string, b: string): number {
  const most = Math.min(a.length, b.length);
  let length = 0;
  while (length < most && a.charCodeAt(length) === b.charCodeAt(length)) length++;
  return length;
}

/** Puts a node in the middle of the way to the child. */
function split<V>(parent: RadixNode<V>, child: RadixNode<V>, at: number): RadixNode<V> {
  const middle: RadixNode<V> = { label: child.label.slice(0, at), values: null, children: new Map(), seq: 0 };
  child.label = child.label.slice(at);
  middle.children!.set(child.label.charCodeAt(0), child);
  parent.children!.set(middle.label.charCodeAt(0), middle);
  return middle;
}

function remove<V>(node: RadixNode<V>, rest: string, value: V): void {
  if (rest === '') {
    const values = node.values ?? [];
    values.splice(values.indexOf(value), 1);
    if (values.length === 0) node.values = null;
    return;
  }
  const code = rest.charCodeAt(0);
  const child = node.children!.get(code)!;
  remove(child, rest.slice(child.label.length), value);
  if (child.values !== null) return;
  if (child.children === null) {
    node.children!.delete(code);
    if (node.children!.size === 0) node.children = null;
  } else if (child.children.size === 1) {
    const [only] = child.children.values();
    only!.label = child.label + only!.label;
    node.children!.set(code, only!);
  }
}
