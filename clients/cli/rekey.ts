import { httpRoutes } from '../../shared/contracts/derive/http.ts';
import { contracts } from '../../shared/contracts/index.ts';
import { type CliRequest, callCommand } from './request.ts';

interface Batch {
  records: number;
  resealed: number;
  unreadable: number;
  next: string | null;
}

/**
 * Has everything that is sealed sealed anew with the first encryption key, module by module. Run again after a failure
 * it goes on with what is left.
 * @param say hears of each module that is done
 * @returns one line that says what went wrong, or null
 */
export async function rekeyAll(
  target: Pick<CliRequest, 'url' | 'token'>,
  say: (line: string) => void,
): Promise<string | null> {
  let unreadable = 0;
  for (const { module } of httpRoutes(contracts).filter(({ command }) => command === 'rekey')) {
    const total = { records: 0, resealed: 0 };
    for (let after: string | null = ''; after !== null; ) {
      const request = { ...target, module, command: 'rekey', arguments: [JSON.stringify({ after })] };
      const answer = await callCommand(request);
      if ('problem' in answer) return `${module}: ${answer.problem}`;
      const batch = answer.result as Batch;
      total.records += batch.records;
      total.resealed += batch.resealed;
      unreadable += batch.unreadable;
      after = batch.next;
    }
    say(`${module}: ${total.records} records, ${total.resealed} texts sealed anew`);
  }
  return unreadable > 0
    ? `${unreadable} texts are opened by no configured key; the logs of the services name them`
    : null;
}
