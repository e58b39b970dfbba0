import { expect } from '@jest/globals';
import { type Case, story } from '../case.ts';
import { type Stage, secret } from '../stage.ts';

const rivals = 6;

/** Of several who want the same name at once, one gets it. */
const onlyOne = (command: string, payload: (stage: Stage) => (rival: number) => object): Case =>
  story(`of ${rivals} who ask for ${command} with the same name at once one gets it`, async (stage) => {
    const [module, name] = command.split('.') as [string, string];
    const payloadOf = payload(stage);
    const asks = Array.from({ length: rivals }, (_, rival) =>
      stage.code({ module, command: name, payload: payloadOf(rival) }),
    );
    const codes = await Promise.all(asks);
    expect(codes.sort()).toEqual([...Array(rivals - 1).fill('CONFLICT'), 'OK']);
  });

export const concurrencyCases: Case[] = [
  onlyOne('users.create', (stage) => {
    const username = stage.unique('wanted');
    return () => ({ username, password: secret() });
  }),
  onlyOne('rooms.create', (stage) => {
    const name = stage.unique('wanted');
    return () => ({ name });
  }),
  onlyOne('cameras.create', (stage) => {
    const mtx_path = stage.path();
    return (rival) => ({ name: `rival ${rival}`, source: 'rtsp://10.0.0.1/', mtx_path });
  }),
  onlyOne('credentials.create', () => {
    const oauth_client_id = secret();
    return (rival) => ({ description: `rival ${rival}`, oauth_client_id, oauth_client_secret: secret() });
  }),
  story('changes of different fields at once are all kept', async (stage) => {
    const { id } = await stage.camera();
    const mtx_path = stage.path();
    const changes = [{ name: 'Other' }, { room: 'Porch' }, { mtx_path }, { source: 'rtsp://10.0.0.2/' }];
    const update = (payload: object) => stage.ok({ module: 'cameras', command: 'update', entity: id, payload });
    await Promise.all(changes.map(update));
    const camera = await stage.ok({ module: 'cameras', command: 'read', entity: id });
    expect(camera).toMatchObject({ name: 'Other', room: 'Porch', mtx_path, source: 'rtsp://10.0.0.2/' });
  }),
  story('who joins a room at the same time as others is a member', async (stage) => {
    const { id } = await stage.room();
    const people = await Promise.all(Array.from({ length: rivals }, () => stage.person()));
    await Promise.all(people.map((person) => stage.ok({ module: 'rooms', command: 'join', entity: id }, person)));
    const { members } = await stage.ok<{ members: string[] }>({ module: 'rooms', command: 'read', entity: id });
    expect(members.sort()).toEqual(people.map((person) => person.id).sort());
  }),
  story('a record that is deleted twice at once is deleted once', async (stage) => {
    const { id } = await stage.camera();
    const remove = () => stage.code({ module: 'cameras', command: 'delete', entity: id });
    expect((await Promise.all([remove(), remove()])).sort()).toEqual(['NOT_FOUND', 'OK']);
  }),
  story('messages sent at once are all in the history, once', async (stage) => {
    const { id } = await stage.room();
    const texts = Array.from({ length: 20 }, (_, index) => `m${index}`);
    const send = (message: string) =>
      stage.ok({ module: 'rooms', command: 'send', entity: id, payload: { message } }, 'user');
    await Promise.all(texts.map(send));
    const ask = { module: 'rooms', command: 'history', entity: id, payload: { limit: 100 } };
    const { items } = await stage.ok<{ items: { message: string }[] }>(ask, 'user');
    expect(items.map(({ message }) => message).sort()).toEqual([...texts].sort());
  }),
];
