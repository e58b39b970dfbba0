import type { Socket } from 'socket.io-client';
import type { ServiceEvent } from '../../shared/fanout/bus.ts';
import type { Stage, Stored } from '../conformance/stage.ts';
import type { Google } from '../servers/google/google.ts';
import { openSocket } from './clients/socketio.client.ts';
import { eventually } from './clients/wait.ts';

/** A user of a Trigate that is connected to the stand-in for Google. */
export const grantUrl = async (stage: Stage, id: string, origin = stage.system.httpUrls[0]): Promise<string> => {
  const ask = { module: 'credentials', command: 'update', entity: id, payload: { origin } };
  return (await stage.operator<{ url: string }>(ask)).url;
};

/** Goes to Google and back as a browser would. */
export async function authorize(stage: Stage, google: Google, id: string): Promise<Response> {
  return fetch(await google.consent(await grantUrl(stage, id)));
}

/** Credentials that are authorised. */
export async function authorized(stage: Stage, google: Google, more: object = {}): Promise<Stored> {
  const { id } = await stage.create('credentials', google.credentials(more));
  const page = await authorize(stage, google, id);
  if (page.status !== 200) throw new Error(`${page.status} ${await page.text()}`);
  return stage.operator<Stored>({ module: 'credentials', command: 'read', entity: id });
}

/** Cameras of credentials by the id of their device. */
export async function camerasOf(stage: Stage, id: string): Promise<Map<string, Stored>> {
  const items: Stored[] = [];
  for (let page = 1, total = 1; items.length < total; page += 1) {
    const ask = { module: 'cameras', command: 'list', payload: { page, itemsPerPage: 100 } };
    const listed = await stage.operator<{ items: Stored[]; total: number }>(ask);
    items.push(...listed.items);
    total = listed.items.length > 0 ? listed.total : items.length;
  }
  const own = items.filter(({ credentialId }) => credentialId === id);
  return new Map(own.map((camera) => [String(camera.uid).split('/').at(-1) as string, camera]));
}

export const sync = (stage: Stage, id: string) =>
  stage.operator({ module: 'credentials', command: 'sync', entity: id });

/** Everything a user hears of a domain. */
export async function hearing(stage: Stage, domain: string): Promise<{ heard: ServiceEvent[]; socket: Socket }> {
  const socket = await openSocket(stage.system.socketioUrls[0] as string, stage.people.user.token);
  const heard: ServiceEvent[] = [];
  socket.on(`${domain}:*`, (event: ServiceEvent) => heard.push(event));
  return { heard, socket };
}

/** The first event of a name, once it was heard. */
export async function heardEvent(heard: ServiceEvent[], name: string, ms = 10_000): Promise<ServiceEvent> {
  await eventually(
    async () => heard.map(({ event }) => event),
    (names) => names.includes(name),
    ms,
  );
  return heard.find(({ event }) => event === name) as ServiceEvent;
}
