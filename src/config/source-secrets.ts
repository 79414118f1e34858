/** Where a source's description has secrets, as dotted paths. They are kept apart from it, encrypted, and never shown. */
export const SECRET_PATHS = ['connection.sasl.password', 'connection.password', 'connection.tls.key'] as const;

type Tree = { [name: string]: unknown };

/** What is kept of a source: its description, and its secrets by their paths. */
export interface SplitSource {
  readonly plain: Tree;
  readonly secrets: Readonly<Record<string, string>>;
}

/** Takes the secrets out of a description. */
export function splitSecrets(input: object): SplitSource {
  const plain = structuredClone(input) as Tree;
  const secrets: Record<string, string> = {};
  for (const path of SECRET_PATHS) {
    const { parent, leaf } = placeOf(plain, path);
    const value = parent?.[leaf];
    if (typeof value !== 'string') continue;
    secrets[path] = value;
    delete parent![leaf];
  }
  return { plain, secrets };
}

/** The inverse of `splitSecrets`. */
export function joinSecrets({ plain, secrets }: SplitSource): Tree {
  const whole = structuredClone(plain);
  for (const [path, value] of Object.entries(secrets)) {
    const { parent, leaf } = placeOf(whole, path);
    if (parent !== null) parent[leaf] = value;
  }
  return whole;
}

/** The object that holds the last name of a dotted path; null when the description has none. */
export function placeOf(tree: Tree, path: string): { parent: Tree | null; leaf: string } {
  const names = path.split('.');
  const leaf = names.pop()!;
  let parent: unknown = tree;
  for (const name of names) parent = (parent as Tree | null | undefined)?.[name];
  return { parent: typeof parent === 'object' ? (parent as Tree | null) : null, leaf };
}
