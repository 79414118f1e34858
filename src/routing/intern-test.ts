import type { FieldTest } from './condition.ts';
import { IndexedTest, keyOf } from './indexed-test.ts';
import type { PathNode } from './path-node.ts';

/** The one test with these words below the root, made when it is new; `releaseTest` as often as this. */
export function internTest(root: PathNode, { path, anyOf }: FieldTest): IndexedTest {
  let node = root;
  for (const name of path.split('.')) node = node.child(name);
  node.tests ??= new Map();
  const key = keyOf(anyOf);
  let test = node.tests.get(key);
  if (test === undefined) {
    test = new IndexedTest(node, anyOf, key);
    node.tests.set(key, test);
  }
  test.refs++;
  return test;
}

export function releaseTest(test: IndexedTest): void {
  if (--test.refs > 0) return;
  test.path.tests!.delete(test.key);
  if (test.path.tests!.size === 0) test.path.tests = null;
  test.path.prune();
}
