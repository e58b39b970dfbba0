/** What a bench has found out. */
export interface Outcome {
  /** Of its marks in README.md and of its file of results. */
  name: string;
  /** Markdown. */
  figures: string;
  results: object;
  passed: boolean;
  /** Whether the figures of README.md are replaced by these. */
  write: boolean;
}

export const say = (line: string) => process.stdout.write(`${line}\n`);
