import type { z } from 'zod';
import { publicCommands } from '../../../shared/contracts/derive/names.ts';
import { type ActionContract, contracts } from '../../../shared/contracts/index.ts';
import { bad, type Case, enveloped } from '../case.ts';
import type { Stage } from '../stage.ts';
import { examples } from './examples.ts';

/** What follows from the contract alone: every command refuses the same kinds of wrong input in the same way. */
export function generatedCases(): Case[] {
  return publicCommands(contracts).flatMap(({ module, command, contract }) => {
    const name = `${module}.${command}`;
    return [...accessCases(name, contract), ...entityCases(name, contract), ...payloadCases(name, contract)];
  });
}

const exampleOf = (name: string) => (stage: Stage) => {
  const example = examples[name];
  if (!example) throw new Error(`the table has no example of ${name}`);
  return example(stage);
};

function accessCases(name: string, { access }: ActionContract): Case[] {
  const cases: Case[] = [];
  if (access !== 'anyone') {
    cases.push(bad(name, 'by nobody', 'UNAUTHORIZED', 'nobody', exampleOf(name)));
    cases.push(bad(name, 'with a token that is none', 'UNAUTHORIZED', { token: 'a.b.c' }, exampleOf(name)));
  }
  if (access === 'admin') cases.push(bad(name, 'by a user', 'FORBIDDEN', 'user', exampleOf(name)));
  return cases;
}

function entityCases(name: string, contract: ActionContract): Case[] {
  const without = async (stage: Stage) => ({ payload: (await exampleOf(name)(stage)).payload });
  if (!contract.entity) {
    const surplus = async (stage: Stage) => ({ ...(await exampleOf(name)(stage)), entity: 'surplus' });
    return [
      bad(name, 'with an entity it does not take', 'INVALID_REQUEST', 'admin', surplus, { protocols: enveloped }),
    ];
  }
  const entity = (value: string) => async (stage: Stage) => ({ ...(await exampleOf(name)(stage)), entity: value });
  const tooLong = 'e'.repeat(contract.longEntity ? 4_097 : 257);
  const cases = [
    bad(name, 'without an entity', 'INVALID_REQUEST', 'admin', without, { protocols: enveloped, names: 'entity' }),
    bad(name, 'with an entity that is too long', 'INVALID_REQUEST', 'admin', entity(tooLong)),
    bad(name, 'with a control character in the entity', 'INVALID_REQUEST', 'admin', entity('a\u0007b')),
  ];
  if (contract.errors?.includes('NOT_FOUND') && !isUnavailable(name)) {
    // A name nobody gave a room is still one that can be spoken in.
    const answers = name !== 'rooms.history';
    if (answers) cases.push(bad(name, 'of an id nobody has', 'NOT_FOUND', 'admin', entity('no-such-id')));
    if (answers) cases.push(bad(name, 'of an id given as a number', 'NOT_FOUND', 'admin', numberId(name)));
  }
  return cases;
}

/** Streams answer so for whatever is asked, until a media server is connected. */
const isUnavailable = (name: string) => name.startsWith('streams.');

const numberId = (name: string) => async (stage: Stage) => ({ ...(await exampleOf(name)(stage)), entity: 4_711 });

type Payload = Record<string, unknown>;
const refused = ['__proto__', 'constructor', 'prototype'] as const;
/** An own key, as JSON from outside may have it; an object literal would set the prototype. */
const withKey = (key: string, value: unknown): Payload =>
  JSON.parse(`{${JSON.stringify(key)}:${JSON.stringify(value)}}`);

function payloadCases(name: string, { payload: schema }: ActionContract): Case[] {
  const invalid = (what: string, change: (payload: Payload) => unknown, names?: string) =>
    bad(
      name,
      what,
      'INVALID_REQUEST',
      'admin',
      async (stage) => {
        const example = await exampleOf(name)(stage);
        return { ...example, payload: change((example.payload ?? {}) as Payload) };
      },
      names === undefined ? {} : { names },
    );
  const cases = [
    ...refused.map((key) => invalid(`with the key ${key}`, (own) => merge(own, withKey(key, { admin: true })), key)),
    ...refused.map((key) => invalid(`with the key ${key} within`, (own) => ({ ...own, a: [{ b: withKey(key, 1) }] }))),
    invalid('with the key $where', (own) => ({ ...own, $where: '1' }), '$where'),
    invalid(schema ? 'with an unknown key' : 'with a payload it does not take', (own) => ({ ...own, surplus: 1 })),
    invalid('with an array for a payload', () => [1]),
  ];
  return schema ? [...cases, ...typeCases(name, schema)] : cases;
}

/** Object.assign would take `__proto__` for the prototype. */
function merge(target: Payload, source: Payload): Payload {
  const merged = { ...target };
  for (const [key, value] of Object.entries(source)) {
    Object.defineProperty(merged, key, { value, enumerable: true, configurable: true, writable: true });
  }
  return merged;
}

/** Each field of the wrong type, and each needed one left out. `z.json()` has no wrong type. */
function typeCases(name: string, schema: z.ZodObject): Case[] {
  const wrong = { deeply: ['wrong'] };
  const ask = (change: (payload: Payload) => Payload) => async (stage: Stage) => {
    const example = await exampleOf(name)(stage);
    return { ...example, payload: change({ ...(example.payload as Payload) }) };
  };
  return Object.entries(schema.shape).flatMap(([key, field]) => {
    const type = field as z.ZodType;
    const cases: Case[] = [];
    if (!type.safeParse(wrong).success) {
      const what = `with a ${key} of the wrong type`;
      cases.push(
        bad(
          name,
          what,
          'INVALID_REQUEST',
          'admin',
          ask((own) => ({ ...own, [key]: wrong })),
          { names: key },
        ),
      );
    }
    if (!type.safeParse(undefined).success) {
      const without = ask(({ [key]: _left, ...own }) => own);
      cases.push(bad(name, `without ${key}`, 'INVALID_REQUEST', 'admin', without, { names: key }));
    }
    return cases;
  });
}
