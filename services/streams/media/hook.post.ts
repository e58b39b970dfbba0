/** Run by a media server whose machine has no other program to call us: one POST to the URL it is given. */
const [url = ''] = process.argv.slice(2);
try {
  const { ok, status } = await fetch(url, { method: 'POST', signal: AbortSignal.timeout(5_000) });
  if (!ok) process.stderr.write(`Trigate answered a hook with ${status}\n`);
} catch (error) {
  process.stderr.write(`Trigate cannot be told of a hook: ${(error as Error).message}\n`);
}
