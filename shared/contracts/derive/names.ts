import { type Command, commandTable, type ServiceContract } from '../index.ts';

/** `api-keys`, `list` → `apiKeysList`; `failed-extension` → `failedExtension`. */
export const camelName = (...words: string[]): string =>
  words
    .flatMap((word) => word.split(/[^A-Za-z0-9]+/))
    .filter((part) => part !== '')
    .map((part, index) => (index === 0 ? part : part.charAt(0).toUpperCase() + part.slice(1)))
    .join('');

/** Every command a client may send, in the order of the contracts. */
export const publicCommands = (contracts: readonly ServiceContract[]): Command[] =>
  [...commandTable(contracts).values()].flatMap((commands) => [...commands.values()]);
