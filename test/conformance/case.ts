import { expect } from '@jest/globals';
import type { ErrorCode } from '../../shared/contracts/index.ts';
import { type Ask, type Protocol, protocols } from '../system/clients.ts';
import type { Asker, Stage } from './stage.ts';

/** One row of the table. */
export interface Case {
  /** `module.command` and what is asked of it. */
  name: string;
  protocols?: readonly Protocol[];
  /** @returns the result of a good case, whose shape must be the same on every protocol; else undefined */
  run(stage: Stage): Promise<unknown>;
  /** Set for a good case: the command it shows to work. */
  good?: string;
}

type Row = Pick<Ask, 'module' | 'command'>;
type Rest = Omit<Ask, keyof Row>;
type RestOf = (stage: Stage) => Rest | Promise<Rest>;

export interface BadOptions {
  protocols?: readonly Protocol[];
  /** What the answer must name, such as the key that was refused. */
  names?: string;
}

/** The command answers; `check` looks at the result. */
export function good<T = Record<string, unknown>>(
  command: string,
  what: string,
  as: Asker,
  ask: RestOf,
  check: (result: T, stage: Stage) => unknown = () => {},
): Case {
  return {
    name: `${command} ${what}`,
    good: command,
    async run(stage) {
      const result = await stage.ok<T>({ ...rowOf(command), ...(await ask(stage)) }, as);
      await check(result, stage);
      return result;
    },
  };
}

/** The command is refused with the code. */
export function bad(
  command: string,
  what: string,
  code: ErrorCode,
  as: Asker,
  ask: RestOf,
  more: BadOptions = {},
): Case {
  return {
    name: `${command} ${what}: ${code}`,
    ...(more.protocols && { protocols: more.protocols }),
    async run(stage) {
      const answer = await stage.request({ ...rowOf(command), ...(await ask(stage)) }, as);
      expect(answer).toMatchObject({ error: { code } });
      if (more.names) expect(JSON.stringify(answer)).toContain(more.names);
    },
  };
}

/** Anything that takes more than one step. */
export const story = (name: string, run: (stage: Stage) => Promise<unknown>, only?: readonly Protocol[]): Case => ({
  name,
  ...(only && { protocols: only }),
  async run(stage) {
    await run(stage);
  },
});

export const rowOf = (command: string): Row => {
  const [module, name] = command.split('.') as [string, string];
  return { module, command: name };
};

export const runsOn = (one: Case, protocol: Protocol): boolean => (one.protocols ?? protocols).includes(protocol);

/** Over HTTP the path decides what is asked: a missing or surplus entity is another address. */
export const enveloped = ['socketio', 'mqtt'] as const satisfies readonly Protocol[];
