import type { Reporter, TestModule } from 'vitest/node';

/** What is read of a module that has run. */
type RunModule = { readonly children: { allTests(state: 'skipped'): Iterable<Pick<SkippedTest, 'result'>> } };
type SkippedTest = ReturnType<TestModule['children']['allTests']> extends Iterable<infer Test> ? Test : never;

/** Says at the end which tests were skipped for what is not on this machine: a file of which all are skipped looks like one that passed. */
export class SkippedReporter implements Reporter {
  readonly #write: (text: string) => void;

  constructor(write: (text: string) => void = (text) => process.stdout.write(text)) {
    this.#write = write;
  }

  onTestRunEnd(modules: readonly RunModule[]): void {
    const counts = new Map<string, number>();
    for (const module of modules) {
      for (const test of module.children.allTests('skipped')) {
        const result = test.result();
        const note = result.state === 'skipped' ? result.note : undefined;
        if (note !== undefined) counts.set(note, (counts.get(note) ?? 0) + 1);
      }
    }
    for (const [note, count] of counts) this.#write(`\n NOT RUN  ${count} tests: ${note}\n`);
  }
}
