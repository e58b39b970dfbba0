import { type Results, retriedTests } from './retries.rules.ts';

/** Says at the end of a run which tests did not pass at the first try. */
export default class RetriesReporter {
  readonly #root: string;

  constructor({ rootDir }: { rootDir: string }) {
    this.#root = rootDir;
  }

  onRunComplete(_contexts: unknown, results: Results): void {
    process.stderr.write(`\n${retriedTests(results, this.#root).join('\n')}\n`);
  }
}
