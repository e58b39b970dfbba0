import { writeFile } from 'node:fs/promises';
import { MongoClient } from 'mongodb';
import { adminPassword } from './ours.ts';
import { until } from './processes.ts';

const cameras = 100;

export interface Login {
  token: string;
  /** Of the cameras. */
  ids: string[];
}
type Camera = { id: string } & Record<string, unknown>;

/** Logs in as the administrator and makes the cameras. @throws Error where Trigate does not take them */
export async function prepareOurs(url: string): Promise<Login> {
  let token = '';
  await until('logging in', async () => {
    const response = await post(`${url}/api/auth`, { username: 'admin', password: adminPassword });
    token = ((await response.json()) as { bearer?: string }).bearer ?? '';
    return response.status === 201;
  });
  const ids: string[] = [];
  for (let index = 0; index < cameras; index += 1) {
    const body = { name: `Camera ${index}`, room: 'Entrance', source: `rtsp://192.0.2.7/stream/${index}` };
    const response = await post(
      `${url}/api/cameras`,
      { ...body, mtx_path: `camera-${index}`, is_enabled: true },
      token,
    );
    if (response.status !== 201) throw new Error(`a camera was not made: ${await response.text()}`);
    ids.push(((await response.json()) as Camera).id);
  }
  return { token, ids };
}

/** The records as Trigate serves them, for the peers to serve the same. */
export async function recordsOf(url: string, token: string): Promise<Camera[]> {
  const response = await get(`${url}/api/cameras?itemsPerPage=${cameras}`, token);
  return ((await response.json()) as { items: Camera[] }).items;
}

/** Where each peer finds the records: a file, and the database where there is one. */
export async function giveToPeers(records: readonly Camera[], file: string, mongodbUrl?: string): Promise<void> {
  await writeFile(file, JSON.stringify(records));
  if (!mongodbUrl) return;
  const client = await new MongoClient(mongodbUrl).connect();
  const collection = client.db().collection('peer_cameras');
  await collection.deleteMany({});
  await collection.insertMany(records.map((record) => ({ ...record })));
  await collection.createIndex({ id: 1 }, { unique: true });
  await collection.createIndex({ createdAt: 1, id: 1 });
  await client.close();
}

/** A contender that answers less would be quicker for the wrong reason. @throws Error that says what differs */
export async function checkAnswers(url: string, { token, ids }: Login, model: Camera, auth: boolean): Promise<void> {
  await until('an answer', async () => (await get(`${url}/api/cameras/${ids[0]}`, token)).status === 200);
  const read = await (await get(`${url}/api/cameras/${ids[0]}`, token)).text();
  const list = await (await get(`${url}/api/cameras?page=1&itemsPerPage=10`, token)).text();
  const { items, total } = JSON.parse(list) as { items: Camera[]; total: number };
  const wanted = Object.keys(model).sort().join();
  for (const record of [JSON.parse(read) as Camera, ...items]) {
    const keys = Object.keys(record).sort().join();
    if (keys !== wanted) throw new Error(`a record has the keys ${keys}, not ${wanted}`);
  }
  const size = JSON.stringify(model).length;
  if (Math.abs(read.length - size) > 8) throw new Error(`a record has ${read.length} bytes, not ${size}`);
  if (items.length !== 10 || total !== cameras) throw new Error(`a list has ${items.length} of ${total}`);
  if (!auth) return;
  const stranger = await fetch(`${url}/api/cameras/${ids[0]}`, { headers: { authorization: 'Bearer no-token' } });
  if (stranger.status !== 401) throw new Error(`a bad token is answered ${stranger.status}`);
}

const get = (url: string, token: string) => fetch(url, { headers: { authorization: `Bearer ${token}` } });

const post = (url: string, body: object, token?: string) =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify(body),
  });
