import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startBrowser } from '../servers/browser.ts';
import { type MediaServer, mediamtxCommand, startMediaServer } from '../servers/media-server.ts';
import { type CameraSource, cameraSource, decodeFrames } from '../servers/video.ts';
import { addCamera, cameraEnv, logIn, type Owner, type Urls } from '../system/cameras.ts';
import { startOneProcess } from '../system/one-process.ts';
import { Cleanup } from '../system/system.ts';

/** The stand-in speaks RTSP and HLS only. */
const where = (await mediamtxCommand()) ? describe : describe.skip;

where('the URLs of a camera on MediaMTX', () => {
  const cleanup = new Cleanup();
  let source: CameraSource;
  let media: MediaServer;
  let admin: Owner;
  let door: { id: string };

  beforeAll(async () => {
    source = cleanup.add(await cameraSource(), (one) => one.stop());
    const config = { webrtcAdditionalHosts: ['127.0.0.1'] };
    media = cleanup.add(await startMediaServer({ real: true, config }), (one) => one.stop());
    const system = cleanup.add(await startOneProcess(cameraEnv(media.apiUrl)), (one) => one.stop());
    admin = cleanup.add(await logIn(system), (one) => one.close());
    door = await addCamera(admin, { mtx_path: 'door', source: source.url });
  }, 60_000);
  afterAll(() => cleanup.run(), 30_000);

  const urls = (): Promise<Urls> => admin.call('streams.create', { payload: { camera: door.id } });

  test.each(['rtmp', 'srt'] as const)(
    'over %s give decoded pictures, and none without the token',
    async (protocol) => {
      const url = (await urls())[protocol] as string;
      const decoded = await decodeFrames(url, 5, 20_000);
      console.info(`${protocol}: first picture after ${decoded.firstMs} ms`);
      expect(decoded.frames).toBe(5);
      const spoilt = url.replace(/[^=:]{32}$/, 'x'.repeat(32));
      expect(spoilt).not.toBe(url);
      expect(await decodeFrames(spoilt, 1, 8_000)).toMatchObject({ frames: 0 });
    },
    60_000,
  );

  test('over WebRTC play in Chromium, on the page and by WHEP', async () => {
    const browser = cleanup.add(await startBrowser(), (one) => one.close());
    const { webrtc } = await urls();
    const whep = (webrtc as string).replace('/?', '/whep?');
    const page = await browser.newPage();
    await page.goto(webrtc as string);
    // Of the page itself, whose types are not ours.
    await page.waitForFunction('document.querySelector("video").videoWidth > 0', undefined, { timeout: 20_000 });
    const decoded = await page.evaluate(`(async () => {
      const peer = new RTCPeerConnection();
      peer.addTransceiver('video', { direction: 'recvonly' });
      await peer.setLocalDescription();
      await new Promise((resolve) => {
        if (peer.iceGatheringState === 'complete') resolve();
        peer.addEventListener('icegatheringstatechange', () => peer.iceGatheringState === 'complete' && resolve());
      });
      const headers = { 'content-type': 'application/sdp' };
      const answer = await fetch(${JSON.stringify(whep)}, { method: 'POST', headers, body: peer.localDescription.sdp });
      if (answer.status !== 201) return answer.status + ' ' + (await answer.text());
      await peer.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
      for (let turn = 0; turn < 100; turn += 1) {
        for (const one of (await peer.getStats()).values()) {
          if (one.type === 'inbound-rtp' && one.framesDecoded >= 5) return 'decoded';
        }
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      return 'nothing came';
    })()`);
    expect(decoded).toBe('decoded');
    const refused = await fetch(whep.replace(/token=.*/, `token=${'x'.repeat(32)}`), {
      method: 'POST',
      headers: { 'content-type': 'application/sdp' },
      body: 'v=0',
    });
    expect(refused.status).toBe(401);
  }, 90_000);
});
