/** What a MediaMTX 1.20 is configured with, as far as a control plane sees it: names, kinds and defaults. */

export interface Permission {
  action: string;
  path: string;
}

export interface InternalUser {
  user: string;
  pass: string;
  ips: string[];
  permissions: Permission[];
}

export interface ForwardDestination {
  dest: string;
  destFingerprint: string;
  whipBearerToken: string;
}

type Fields = Record<string, unknown>;

export interface GlobalConfig extends Fields {
  readTimeout: string;
  runOnConnect: string;
  runOnConnectRestart: boolean;
  runOnDisconnect: string;
  authMethod: string;
  authInternalUsers: InternalUser[];
  authHTTPAddress: string;
  authHTTPExclude: Permission[];
  apiAddress: string;
  rtsp: boolean;
  rtspAddress: string;
  rtspsAddress: string;
  rtspEncryption: string;
  rtspServerKey: string;
  rtspServerCert: string;
  rtspAuthMethods: string[];
  hls: boolean;
  hlsAddress: string;
  hlsMuxerCloseAfter: string;
  rtmp: boolean;
  webrtc: boolean;
  srt: boolean;
  moq: boolean;
}

export interface PathConfig extends Fields {
  name: string;
  source: string;
  sourceFingerprint: string;
  sourceOnDemand: boolean;
  sourceOnDemandStartTimeout: string;
  sourceOnDemandCloseAfter: string;
  sourceRedirect: string;
  maxReaders: number;
  forward: ForwardDestination[];
  overridePublisher: boolean;
  whepBearerToken: string;
  whepHandshakeTimeout: string;
  runOnInit: string;
  runOnInitRestart: boolean;
  runOnDemand: string;
  runOnDemandRestart: boolean;
  runOnDemandStartTimeout: string;
  runOnDemandCloseAfter: string;
  runOnUnDemand: string;
  runOnAvailable: string;
  runOnAvailableRestart: boolean;
  runOnUnavailable: string;
  runOnOnline: string;
  runOnOnlineRestart: boolean;
  runOnOffline: string;
  runOnRead: string;
  runOnReadRestart: boolean;
  runOnUnread: string;
}

const anyPath = (...actions: string[]): Permission[] => actions.map((action) => ({ action, path: '' }));

/** Addresses of what this server has a listener for, and of what it only names. */
const addresses = {
  apiAddress: ':9997',
  metricsAddress: ':9998',
  pprofAddress: ':9999',
  playbackAddress: ':9996',
  rtspAddress: ':8554',
  rtspsAddress: ':8322',
  rtpAddress: ':8000',
  rtcpAddress: ':8001',
  rtmpAddress: ':1935',
  rtmpsAddress: ':1936',
  hlsAddress: ':8888',
  webrtcAddress: ':8889',
  webrtcLocalUDPAddress: ':8189',
  webrtcLocalTCPAddress: '',
  srtAddress: ':8890',
  moqHTTP2Address: ':8892',
  moqHTTP3Address: ':8892',
  moqQUICAddress: ':8893',
};

export const globalDefaults: GlobalConfig = {
  logLevel: 'info',
  logDestinations: ['stdout'],
  readTimeout: '10s',
  writeTimeout: '10s',
  writeQueueSize: 512,
  udpMaxPayloadSize: 1452,
  udpReadBufferSize: 0,
  runOnConnect: '',
  runOnConnectRestart: false,
  runOnDisconnect: '',
  authMethod: 'internal',
  authInternalUsers: [
    { user: 'any', pass: '', ips: [], permissions: anyPath('publish', 'read', 'playback') },
    { user: 'any', pass: '', ips: ['127.0.0.1/32', '::1/128'], permissions: anyPath('api', 'metrics', 'pprof') },
  ],
  authHTTPAddress: '',
  authHTTPFingerprint: '',
  authHTTPExclude: [],
  authJWTJWKS: '',
  authJWTJWKSFingerprint: '',
  authJWTClaimKey: 'mediamtx_permissions',
  authJWTExclude: [],
  authJWTIssuer: '',
  authJWTAudience: '',
  api: false,
  apiEncryption: false,
  apiAllowOrigins: ['*'],
  apiTrustedProxies: [],
  metrics: false,
  pprof: false,
  playback: false,
  rtsp: true,
  rtspTransports: ['udp', 'multicast', 'tcp'],
  rtspEncryption: 'no',
  rtspServerKey: 'server.key',
  rtspServerCert: 'server.crt',
  rtspAuthMethods: ['basic'],
  rtmp: true,
  rtmpEncryption: 'no',
  hls: true,
  hlsEncryption: false,
  hlsAlwaysRemux: false,
  hlsVariant: 'lowLatency',
  hlsSegmentCount: 7,
  hlsSegmentDuration: '1s',
  hlsPartDuration: '200ms',
  hlsSegmentMaxSize: '50M',
  hlsMuxerCloseAfter: '1m0s',
  hlsCDNSecret: '',
  webrtc: true,
  webrtcEncryption: false,
  webrtcIPsFromInterfaces: true,
  webrtcAdditionalHosts: [],
  webrtcICEServers2: [],
  webrtcHandshakeTimeout: '10s',
  webrtcTrackGatherTimeout: '2s',
  srt: true,
  moq: true,
  ...addresses,
};

const hooks = {
  runOnInit: '',
  runOnInitRestart: false,
  runOnDemand: '',
  runOnDemandRestart: false,
  runOnDemandStartTimeout: '10s',
  runOnDemandCloseAfter: '10s',
  runOnUnDemand: '',
  runOnAvailable: '',
  runOnAvailableRestart: false,
  runOnUnavailable: '',
  runOnOnline: '',
  runOnOnlineRestart: false,
  runOnOffline: '',
  runOnRead: '',
  runOnReadRestart: false,
  runOnUnread: '',
  runOnRecordSegmentCreate: '',
  runOnRecordSegmentComplete: '',
};

export const pathDefaults: PathConfig = {
  name: '',
  source: 'publisher',
  sourceFingerprint: '',
  sourceOnDemand: false,
  sourceOnDemandStartTimeout: '10s',
  sourceOnDemandCloseAfter: '10s',
  maxReaders: 0,
  srtReadPassphrase: '',
  useAbsoluteTimestamp: false,
  alwaysAvailable: false,
  alwaysAvailableTracks: [],
  alwaysAvailableFile: '',
  forward: [],
  record: false,
  recordPath: './recordings/%path/%Y-%m-%d_%H-%M-%S-%f',
  recordFormat: 'fmp4',
  recordPartDuration: '1s',
  recordMaxPartSize: '50M',
  recordSegmentDuration: '1h0m0s',
  recordDeleteAfter: '1d',
  overridePublisher: true,
  srtPublishPassphrase: '',
  rtspDemuxMpegts: false,
  rtspTransport: 'automatic',
  rtspAnyPort: false,
  rtspRangeType: '',
  rtspRangeStart: '',
  rtspScale: '',
  rtspUDPSourcePortRange: [32768, 60999],
  rtpSDP: '',
  moqTransport: 'quic',
  whepBearerToken: '',
  whepSTUNGatherTimeout: '5s',
  whepHandshakeTimeout: '10s',
  whepTrackGatherTimeout: '2s',
  sourceRedirect: '',
  ...hooks,
};

/** Old names that are still read, and what they set. They come back as they were given. */
export const oldNames: Record<string, string> = {
  runOnReady: 'runOnAvailable',
  runOnReadyRestart: 'runOnAvailableRestart',
  runOnNotReady: 'runOnUnavailable',
};

/** Fields of a path that change without throwing its publisher and readers out. */
export const changesInPlace = (field: string): boolean => field.startsWith('record') || field === 'forward';

const units: Record<string, number> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1e3, m: 60e3, h: 3600e3, d: 86400e3 };

/** Milliseconds of a duration as `10s`, `1h0m0s` or `1d`. @throws Error `time: invalid duration "x"` */
export function durationMs(text: string): number {
  if (text === '' || text === '0') return 0;
  if (!/^-?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h|d))+$/.test(text)) throw new Error(`time: invalid duration "${text}"`);
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)/g)];
  const sum = parts.reduce((total, [, amount, unit]) => total + Number(amount) * (units[unit ?? ''] ?? 0), 0);
  return text.startsWith('-') ? -sum : sum;
}

/** Milliseconds as the server writes a duration, without the larger units that are 0: `1m0s`, `1d`, `1.5s`; 0 is ''. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '';
  if (ms < 0) return `-${formatDuration(-ms)}`;
  const days = Math.floor(ms / 86400e3);
  const rest = ms % 86400e3;
  const clock = (() => {
    if (rest === 0) return '';
    if (rest < 1000) return `${rest}ms`;
    const [hours, minutes, seconds] = [
      Math.floor(rest / 3600e3),
      Math.floor((rest % 3600e3) / 60e3),
      (rest % 60e3) / 1e3,
    ];
    if (hours) return `${hours}h${minutes}m${seconds}s`;
    return minutes ? `${minutes}m${seconds}s` : `${seconds}s`;
  })();
  return `${days ? `${days}d` : ''}${clock}`;
}
