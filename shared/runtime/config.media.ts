import { host, listOf, oneOf, port, url } from './config.types.ts';

const ofOurs = (what: string) => `${what}, of the media server that \`npm start\` runs; 0 takes any free port`;

/** Where media servers are, and how they reach us. */
export const mediaVariables = {
  MEDIAMTX_API_URL: {
    key: 'mediamtxApiUrl',
    type: listOf(url('http', 'https')),
    secret: true,
    meaning:
      'Comma-separated control APIs of the media servers; unset, `mediamtx` on the PATH is started; with neither, streams answer UNAVAILABLE',
  },
  MEDIAMTX_PUBLIC_HOSTS: {
    key: 'mediamtxPublicHosts',
    type: listOf(host),
    shown: 'the hosts of `MEDIAMTX_API_URL`',
    meaning: 'Comma-separated hosts under which viewers reach the media servers, in the order of `MEDIAMTX_API_URL`',
  },
  MEDIAMTX_CALLBACK_URL: {
    key: 'mediamtxCallbackUrl',
    type: url('http', 'https'),
    shown: '`http://HOST:HTTP_PORT`, 127.0.0.1 for every address',
    meaning: 'Base at which media servers reach the HTTP gateway, to ask who may watch and to report what happens',
  },
  MEDIAMTX_HOOK: {
    key: 'mediamtxHook',
    type: oneOf('wget', 'curl', 'node'),
    shown: '`wget`; `node` where `npm start` runs the media server',
    meaning:
      'Program with which media servers report; it has to be on their machine. `node` is this one, on this machine',
  },
  MEDIAMTX_RTSP_PORT: { key: 'mediamtxRtspPort', type: port, default: '8554', meaning: ofOurs('RTSP') },
  MEDIAMTX_RTP_PORT: {
    key: 'mediamtxRtpPort',
    type: port,
    default: '8000',
    meaning: `${ofOurs('RTP, for RTSP over UDP')}. An even one, as RTCP has the next`,
  },
  MEDIAMTX_RTMP_PORT: { key: 'mediamtxRtmpPort', type: port, default: '1935', meaning: ofOurs('RTMP') },
  MEDIAMTX_HLS_PORT: { key: 'mediamtxHlsPort', type: port, default: '8888', meaning: ofOurs('HLS') },
  MEDIAMTX_WEBRTC_PORT: {
    key: 'mediamtxWebrtcPort',
    type: port,
    default: '8889',
    meaning: ofOurs('Signalling of WebRTC'),
  },
  MEDIAMTX_WEBRTC_UDP_PORT: {
    key: 'mediamtxWebrtcUdpPort',
    type: port,
    default: '8189',
    meaning: ofOurs('Media of WebRTC'),
  },
  MEDIAMTX_SRT_PORT: { key: 'mediamtxSrtPort', type: port, default: '8890', meaning: ofOurs('SRT') },
} as const;
