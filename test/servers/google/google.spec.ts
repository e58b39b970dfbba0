import { afterEach, describe, expect, test } from '@jest/globals';
import { eventually } from '../../system/clients/wait.ts';
import { type Google, type GoogleOptions, startGoogle } from './google.ts';
import { pubsubScope, sdmScope } from './oauth.ts';
import { checkOffer, emptyAnswer } from './offer.ts';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

const redirectUri = 'http://127.0.0.1:1/credentials/authorize';
type Json = Record<string, unknown>;

async function open(options: GoogleOptions = {}) {
  const google = await startGoogle(options);
  stops.push(() => google.stop());
  const token = (form: Record<string, string>) => {
    const { oauth_client_id: client_id, oauth_client_secret: client_secret } = google.client;
    const body = new URLSearchParams({ client_id, client_secret, ...form });
    return fetch(google.env.GOOGLE_TOKEN_URL, { method: 'POST', body });
  };
  const query = (more: Record<string, string> = {}) =>
    new URLSearchParams({
      client_id: google.client.oauth_client_id,
      redirect_uri: redirectUri,
      response_type: 'code',
      access_type: 'offline',
      prompt: 'consent',
      scope: `${sdmScope} ${pubsubScope}`,
      state: 'my state',
      ...more,
    });
  const consentUrl = (more?: Record<string, string>) =>
    `${google.env.GOOGLE_CONSENT_URL}/${google.client.dac_project_id}/auth?${query(more)}`;
  return { google, token, consentUrl };
}

/** A stand-in at which somebody agreed, and a way to ask it. */
async function agreed(options: GoogleOptions = {}) {
  const { google, token, consentUrl } = await open(options);
  const code = new URL(await google.consent(consentUrl())).searchParams.get('code') as string;
  const given = (await (
    await token({ grant_type: 'authorization_code', code, redirect_uri: redirectUri })
  ).json()) as Record<string, string>;
  const ask = async (
    url: string,
    body?: object,
    bearer = given.access_token,
  ): Promise<{ status: number; body: Json }> => {
    const response = await fetch(url, {
      headers: { authorization: `Bearer ${bearer}` },
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Json };
  };
  const list = () => ask(`${google.env.GOOGLE_SDM_URL}/enterprises/${google.client.dac_project_id}/devices`);
  const run = async (device: string, command: string, params: object = {}) => {
    const { status, body } = await ask(`${google.env.GOOGLE_SDM_URL}/${device}:executeCommand`, {
      command: `sdm.devices.commands.${command}`,
      params,
    });
    return { status, body, results: (body.results ?? {}) as Record<string, string> };
  };
  const pubsub = (verb: string, body: object) =>
    ask(`${google.env.GOOGLE_PUBSUB_URL}/${google.subscription}:${verb}`, body);
  return { google, token, given, ask, list, run, pubsub };
}

describe('tokens', () => {
  test('are given for a code, once, and renewed', async () => {
    const { google, token, consentUrl } = await open();
    const back = new URL(await google.consent(consentUrl()));
    expect(back.searchParams.get('state')).toBe('my state');
    const form = { grant_type: 'authorization_code', code: back.searchParams.get('code') as string };
    const first = await token({ ...form, redirect_uri: redirectUri });
    const given = (await first.json()) as Record<string, string>;
    expect(given).toMatchObject({ expires_in: 3_599, token_type: 'Bearer', refresh_token: expect.any(String) });
    expect((await token({ ...form, redirect_uri: redirectUri })).status).toBe(400);
    const refresh = { grant_type: 'refresh_token', refresh_token: given.refresh_token as string };
    const renewed = (await (await token(refresh)).json()) as Json;
    expect(renewed).not.toHaveProperty('refresh_token');
    google.oauth.revoke('user-1');
    const revoked = await token(refresh);
    expect([revoked.status, await revoked.json()]).toEqual([400, expect.objectContaining({ error: 'invalid_grant' })]);
  });

  test('need the redirect they were asked with, the right secret, and a consent that is asked for properly', async () => {
    const { google, token, consentUrl } = await open();
    const code = new URL(await google.consent(consentUrl())).searchParams.get('code') as string;
    const form = { grant_type: 'authorization_code', code, redirect_uri: 'http://other' };
    expect((await token({ ...form, client_secret: 'wrong' })).status).toBe(401);
    expect((await token(form)).status).toBe(400);
    for (const wrong of [{ prompt: '' }, { access_type: 'online' }, { client_id: 'x' }, { scope: 'openid' }]) {
      await expect(google.consent(consentUrl(wrong as never))).rejects.toThrow('400');
    }
  });

  test('end with the clock', async () => {
    const { list } = await agreed({ clockFactor: 36_000 });
    await eventually(list, ({ status }) => status === 401, 2_000);
  });
});

describe('devices', () => {
  test('are listed without a key where there are none, and by pages', async () => {
    const { google, list, ask } = await agreed();
    expect((await list()).body).toEqual({});
    google.sdm.pageSize = 2;
    const names = [1, 2, 3].map((n) => google.addDevice('hub', { id: `d${n}` }));
    const { body } = await list();
    expect((body.devices as Json[]).map(({ name }) => name)).toEqual(names.slice(0, 2));
    expect(body.nextPageToken).toBe('2');
    expect(await ask(`${google.env.GOOGLE_SDM_URL}/${names[2]}`)).toMatchObject({ body: { name: names[2] } });
    expect(await ask(`${google.env.GOOGLE_SDM_URL}/${names[2]}x`)).toMatchObject({ status: 404 });
  });

  test('of somebody else are not reached', async () => {
    const { google, list, run } = await agreed();
    google.oauth.user = 'somebody else';
    const name = google.addDevice('hub');
    expect((await list()).body).toEqual({});
    expect(await run(name, 'CameraLiveStream.GenerateRtspStream')).toMatchObject({ status: 403 });
  });

  test('are listed five times a minute', async () => {
    const { google, list } = await agreed({ clockFactor: 60 });
    const statuses = [];
    for (let n = 0; n < 6; n += 1) statuses.push((await list()).status);
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429]);
    expect(google.quota.refused).toBe(1);
    await eventually(list, ({ status }) => status === 200, 3_000);
  });
});

describe('sessions', () => {
  const generate = 'CameraLiveStream.GenerateRtspStream';

  test('of RTSP end unless they are extended, and change their token then', async () => {
    const { google, run } = await agreed({ clockFactor: 600, rtspSource: 'rtsp://127.0.0.1:1/base' });
    const name = google.addDevice('legacy-camera', { id: 'cam' });
    const { results } = await run(name, generate);
    const { rtspUrl } = results.streamUrls as unknown as { rtspUrl: string };
    expect(rtspUrl).toBe(`rtsp://127.0.0.1:1/base/cam?auth=${results.streamToken}`);
    const extended = await run(name, 'CameraLiveStream.ExtendRtspStream', results);
    expect(Date.parse(extended.results.expiresAt as string)).toBeGreaterThan(Date.parse(results.expiresAt as string));
    expect(extended.results.streamToken).not.toBe(results.streamToken);
    await eventually(
      async () => google.live().length,
      (live) => live === 0,
      2_000,
    );
    expect(await run(name, 'CameraLiveStream.ExtendRtspStream', extended.results)).toMatchObject({ status: 400 });
    expect(google.counts).toEqual({ generated: 1, extended: 1, stopped: 0 });
  });

  test('on battery are not lengthened, of a battery doorbell not even extended', async () => {
    const { google, run } = await agreed();
    const offerSdp = offer('audio', 'video', 'application');
    const [camera, doorbell] = [google.addDevice('battery-camera'), google.addDevice('battery-doorbell')];
    const { results } = await run(camera, 'CameraLiveStream.GenerateWebRtcStream', { offerSdp });
    const extended = await run(camera, 'CameraLiveStream.ExtendWebRtcStream', results);
    expect(extended.results.expiresAt).toBe(results.expiresAt);
    const rung = await run(doorbell, 'CameraLiveStream.GenerateWebRtcStream', { offerSdp });
    expect(await run(doorbell, 'CameraLiveStream.ExtendWebRtcStream', rung.results)).toMatchObject({
      status: 400,
      body: { error: { status: 'FAILED_PRECONDITION', message: 'Command is not supported for doorbell.' } },
    });
    expect(await run(doorbell, 'CameraLiveStream.StopWebRtcStream', rung.results)).toMatchObject({ status: 200 });
  });

  test('are those of the protocol a device has, on a camera that is on, five times a minute', async () => {
    const { google, run } = await agreed();
    const name = google.addDevice('legacy-camera');
    expect(await run(name, 'CameraLiveStream.GenerateWebRtcStream')).toMatchObject({
      body: { error: { status: 'INVALID_ARGUMENT' } },
    });
    google.cameraOff(name, true);
    expect(await run(name, generate)).toMatchObject({ body: { error: { status: 'FAILED_PRECONDITION' } } });
    google.cameraOff(name, false);
    const statuses = [];
    for (let n = 0; n < 5; n += 1) statuses.push((await run(name, generate)).status);
    expect(statuses).toEqual([200, 200, 200, 200, 429]);
  });
});

const offer = (...media: string[]) =>
  ['v=0', ...media.map((kind) => `m=${kind} 9 X 0`), 'a=candidate:1 1 udp 2113937151 10.0.0.1 50000 typ host', ''].join(
    '\r\n',
  );

describe('an offer', () => {
  test('has audio, video and data in this order and a host candidate', () => {
    const good = offer('audio', 'video', 'application');
    expect(checkOffer(good)).toBe(good);
    expect(emptyAnswer(good).match(/^m=\w+/gm)).toEqual(['m=audio', 'm=video', 'm=application']);
    const code = (text: unknown) => {
      try {
        checkOffer(text);
        return 200;
      } catch (error) {
        return (error as { code: number }).code;
      }
    };
    expect([undefined, offer('video', 'audio', 'application'), offer('audio', 'video'), good.trim()].map(code)).toEqual(
      [400, 400, 400, 400],
    );
    expect([good.replace(/a=candidate.*\r\n/, ''), good.replace('10.0.0.1', 'x.local')].map(code)).toEqual([500, 500]);
  });
});

describe('events', () => {
  test('are sent once devices were listed, come again until they are acknowledged, and have a picture for a while', async () => {
    const { google, list, run, pubsub } = await agreed({ clockFactor: 10, ackDeadlineMs: 300 });
    const name = google.addDevice('legacy-camera');
    expect(google.publish(name, 'motion')).toBe(false);
    await list();
    const jpeg = Buffer.from('picture');
    expect(google.publish(name, 'motion', { jpeg })).toBe(true);
    const pulled = async () => ((await pubsub('pull', { maxMessages: 5 })).body.receivedMessages ?? []) as Json[];
    const [first] = await pulled();
    const message = (first?.message ?? {}) as { data: string };
    const { resourceUpdate } = JSON.parse(Buffer.from(message.data, 'base64').toString());
    const { 'sdm.devices.events.CameraMotion.Motion': happened } = resourceUpdate.events;
    const { eventId } = happened;
    const { results } = await run(name, 'CameraEventImage.GenerateImage', { eventId });
    const headers = { authorization: `Basic ${results.token}` };
    const url = results.url as string;
    expect(Buffer.from(await (await fetch(url, { headers })).arrayBuffer())).toEqual(jpeg);
    const [again] = await pulled();
    expect([again?.message, again?.deliveryAttempt]).toEqual([first?.message, 2]);
    await pubsub('acknowledge', { ackIds: [again?.ackId] });
    expect(google.pubsub.unacknowledged).toBe(0);
    await eventually(
      async () => (await fetch(url, { headers })).status,
      (status) => status === 504,
      5_000,
    );
  });
});

test('faults are those a test asks for', async () => {
  const { google, list } = (await agreed()) as Awaited<ReturnType<typeof agreed>> & { google: Google };
  google.failNext('list', 1, 500, 'INTERNAL', 'broken');
  expect([(await list()).status, (await list()).status]).toEqual([500, 200]);
  google.offline(true);
  await expect(list()).rejects.toThrow();
  google.offline(false);
  expect((await list()).status).toBe(200);
});
