/** The stand-in's log: lines on stdout, as the real server's. */
export function log(message: string): void {
  process.stdout.write(`${new Date().toISOString()} ${message}\n`);
}
