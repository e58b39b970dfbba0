import { publicCommands } from '../../shared/contracts/derive/names.ts';
import { contracts } from '../../shared/contracts/index.ts';
import type { Case } from './case.ts';
import { authCases } from './table/auth.ts';
import { cameraCases } from './table/cameras.ts';
import { concurrencyCases } from './table/concurrency.ts';
import { credentialCases } from './table/credentials.ts';
import { generatedCases } from './table/generated.ts';
import { presenceCases, streamCases } from './table/presence-streams.ts';
import { roomCases } from './table/rooms.ts';
import { systemCases } from './table/system.ts';
import { userCases } from './table/users.ts';

/** Every command with good and bad input; each protocol runs it with records of its own. */
export const table: readonly Case[] = [
  ...systemCases,
  ...authCases,
  ...userCases,
  ...cameraCases,
  ...credentialCases,
  ...roomCases,
  ...presenceCases,
  ...streamCases,
  ...concurrencyCases,
  ...generatedCases(),
];

/** Commands that answer nothing good yet: without a media server every stream is UNAVAILABLE. */
const withoutGood = new Set(['streams.list', 'streams.read', 'streams.create', 'streams.delete']);

/** Commands a client may send that the table does not show to work. */
export function commandsWithoutCase(): string[] {
  const shown = new Set(table.map(({ good }) => good));
  return publicCommands(contracts)
    .map(({ module, command }) => `${module}.${command}`)
    .filter((name) => !shown.has(name) && !withoutGood.has(name));
}
