// Made of the contracts by `npm run generate`; change those.
export interface AuthCreatePayload {
  username: string;
  password: string;
}
export interface UsersRecord {
  id: string;
  createdAt: string;
  updatedAt: string;
  username: string;
  email: string | null;
  roles: Array<'admin' | 'user'>;
  can_login: boolean;
}
export interface AuthCreateResult {
  bearer: string;
  expiration: string;
  user: UsersRecord;
}
export interface ApiKeysListPayload {
  page?: number;
  itemsPerPage?: number;
  sortBy?: Array<{
    key: 'createdAt' | 'name';
    order?: 'asc' | 'desc';
  }>;
  search?: string | null;
}
export interface ApiKeysRecord {
  id: string;
  createdAt: string;
  updatedAt: string;
  name: string;
  roles: Array<'admin' | 'user'>;
  requireSignature: boolean;
}
export interface ApiKeysListResult {
  items: ApiKeysRecord[];
  total: number;
  page: number;
  itemsPerPage: number;
}
export interface ApiKeysCreatePayload {
  name: string;
  roles?: Array<'admin' | 'user'>;
  requireSignature?: boolean;
}
export interface ApiKeysCreateResult {
  id: string;
  createdAt: string;
  updatedAt: string;
  name: string;
  roles: Array<'admin' | 'user'>;
  requireSignature: boolean;
  key: string;
}
export interface UsersListPayload {
  page?: number;
  itemsPerPage?: number;
  sortBy?: Array<{
    key: 'createdAt' | 'username';
    order?: 'asc' | 'desc';
  }>;
  search?: string | null;
}
export interface UsersListResult {
  items: UsersRecord[];
  total: number;
  page: number;
  itemsPerPage: number;
}
export interface UsersCreatePayload {
  username: string;
  password: string;
  email?: string | null;
  roles?: Array<'admin' | 'user'>;
  can_login?: boolean;
}
export interface UsersUpdatePayload {
  username?: string;
  password?: string;
  email?: string | null;
  roles?: Array<'admin' | 'user'>;
  can_login?: boolean;
}
export interface CamerasListPayload {
  page?: number;
  itemsPerPage?: number;
  sortBy?: Array<{
    key: 'createdAt' | 'name' | 'room';
    order?: 'asc' | 'desc';
  }>;
  search?: string | null;
}
export interface CamerasRecord {
  id: string;
  createdAt: string;
  updatedAt: string;
  credentialId: string | null;
  uid: string;
  room: string;
  name: string;
  checksum: string;
  info: { [key: string]: unknown } | null;
  source: string | null;
  mtx_path: string | null;
  is_enabled: boolean;
  is_persistent: boolean;
  vanished_at: string | null;
  expires_at: string | null;
  identified_as: string[] | null;
  protocols: string | null;
  resolution: string | null;
  codecs_video: string | null;
  codecs_audio: string | null;
  status: 'unconfigured' | 'disabled' | 'dead' | 'stopped' | 'unavailable' | 'starting' | 'running';
  process_id: number | null;
  stream_ready: boolean;
  stream_uptime: string | null;
  stream_track_count: number;
  stream_consumer_count: number;
  stream_data_rx: number;
  stream_data_tx: number;
  url_rtsp_tcp: string | null;
  url_rtsp_udp_rtp: string | null;
  url_rtsp_udp_rtcp: string | null;
  url_rtmp: string | null;
  url_hls: string | null;
  url_hls_m3u8: string | null;
  url_web_rtc: string | null;
  url_srt: string | null;
}
export interface CamerasListResult {
  items: CamerasRecord[];
  total: number;
  page: number;
  itemsPerPage: number;
}
export interface CamerasCreatePayload {
  name: string;
  room?: string;
  source: string;
  mtx_path?: string | null;
  is_enabled?: boolean;
  is_persistent?: boolean;
}
export interface CamerasUpdatePayload {
  name?: string;
  room?: string;
  source?: string;
  mtx_path?: string | null;
  is_enabled?: boolean;
  is_persistent?: boolean;
}
export interface CamerasRekeyPayload {
  after?: string;
}
export interface CamerasRekeyResult {
  records: number;
  resealed: number;
  unreadable: number;
  next: string | null;
}
export interface CredentialsListPayload {
  page?: number;
  itemsPerPage?: number;
  sortBy?: Array<{
    key: 'createdAt' | 'description';
    order?: 'asc' | 'desc';
  }>;
  search?: string | null;
}
export interface CredentialsRecord {
  id: string;
  createdAt: string;
  updatedAt: string;
  description: string;
  checksum: string;
  tokens: 'stored' | null;
  pubsub_subscription: string | null;
}
export interface CredentialsListResult {
  items: CredentialsRecord[];
  total: number;
  page: number;
  itemsPerPage: number;
}
export interface CredentialsCreatePayload {
  description: string;
  oauth_client_id: string;
  oauth_client_secret: string;
  dac_project_id?: string | null;
  pubsub_subscription?: string | null;
}
export type CredentialsReadResult = CredentialsRecord | {
  success: true;
};
export interface CredentialsUpdatePayload {
  description?: string;
  oauth_client_id?: string;
  oauth_client_secret?: string;
  dac_project_id?: string | null;
  pubsub_subscription?: string | null;
  origin?: string;
}
export type CredentialsUpdateResult = CredentialsRecord | {
  url: string;
};
export interface CredentialsSyncResult {
  created: number;
  updated: number;
  vanished: number;
  devices: number;
}
export interface CredentialsRekeyPayload {
  after?: string;
}
export interface CredentialsRekeyResult {
  records: number;
  resealed: number;
  unreadable: number;
  next: string | null;
}
export interface CronjobsListPayload {
  page?: number;
  itemsPerPage?: number;
  sortBy?: Array<{
    key: 'name';
    order?: 'asc' | 'desc';
  }>;
  search?: string | null;
}
export interface CronjobsRecord {
  name: string;
  crontab: string;
}
export interface CronjobsListResult {
  items: CronjobsRecord[];
  total: number;
  page: number;
  itemsPerPage: number;
}
export type CronjobsUpdateResult = { [key: string]: never };
export interface RoomsListPayload {
  page?: number;
  itemsPerPage?: number;
  sortBy?: Array<{
    key: 'createdAt' | 'name';
    order?: 'asc' | 'desc';
  }>;
  search?: string | null;
}
export interface RoomsRecord {
  id: string;
  createdAt: string;
  updatedAt: string;
  name: string;
  private: boolean;
  members: string[];
}
export interface RoomsListResult {
  items: RoomsRecord[];
  total: number;
  page: number;
  itemsPerPage: number;
}
export interface RoomsCreatePayload {
  name: string;
  private?: boolean;
  members?: string[];
}
export interface RoomsUpdatePayload {
  name?: string;
  private?: boolean;
  members?: string[];
}
export interface RoomsJoinResult {
  room: string;
}
export interface RoomsLeaveResult {
  room: string;
}
export interface RoomsSendPayload {
  message: unknown;
  type?: string;
  metadata?: { [key: string]: unknown };
}
export interface RoomsHistoryItem {
  id: string;
  room: string;
  from: {
    id: string;
    username: string;
    email: string | null;
  };
  message: unknown;
  type?: string;
  metadata?: { [key: string]: unknown };
  timestamp: string;
}
export interface RoomsHistoryPayload {
  limit?: number;
  before?: string;
}
export interface RoomsHistoryResult {
  items: RoomsHistoryItem[];
}
export interface PresenceListPayload {
  page?: number;
  itemsPerPage?: number;
  sortBy?: Array<{
    key: 'username';
    order?: 'asc' | 'desc';
  }>;
  search?: string | null;
}
export interface PresenceRecord {
  id: string;
  username: string;
  email: string | null;
  sessions: number;
}
export interface PresenceListResult {
  items: PresenceRecord[];
  total: number;
  page: number;
  itemsPerPage: number;
}
export interface PresenceReadResult {
  id: string;
  username?: string;
  email?: string | null;
  online: boolean;
  sessions: Array<{
    id: string;
    protocol: 'socketio' | 'mqtt';
    gateway: string;
    since: string;
  }>;
}
export interface StreamsListPayload {
  page?: number;
  itemsPerPage?: number;
  sortBy?: Array<{
    key: 'camera';
    order?: 'asc' | 'desc';
  }>;
  search?: string | null;
}
export interface StreamsRecord {
  id: string;
  camera: string;
  state: 'idle' | 'starting' | 'ready' | 'failed';
  problem: string | null;
  readers: number;
  server: string | null;
}
export interface StreamsListResult {
  items: StreamsRecord[];
  total: number;
  page: number;
  itemsPerPage: number;
}
export interface StreamsCreatePayload {
  camera: string;
}
export interface StreamsCreateResult {
  id: string;
  rtsp: string | null;
  hls: string | null;
  webrtc: string | null;
  rtmp: string | null;
  srt: string | null;
  expires: string;
}
export interface StreamsRekeyPayload {
  after?: string;
}
export interface StreamsRekeyResult {
  records: number;
  resealed: number;
  unreadable: number;
  next: string | null;
}
export interface HealthListResult {
  healthy: 'healthy' | 'degraded' | 'unhealthy';
  details: { [key: string]: {
    healthy: boolean;
  } };
}
export interface VersionListResult {
  release: string;
  commit: string;
  platform: string;
  node: string;
}
export type SwaggerListResult = { [key: string]: unknown };
export interface UsersCreatedDetails {
  username: string;
}
export interface UsersUpdatedDetails {
  username: string;
}
export interface UsersDeletedDetails {
  username: string;
}
export interface CameraCreatedDetails {
  name: string | null;
  enabled: boolean | null;
  path: string | null;
}
export interface CameraUpdatedDetails {
  name: string | null;
  enabled: boolean | null;
  path: string | null;
}
export interface CameraDeletedDetails {
  name: string | null;
  enabled: boolean | null;
  path: string | null;
}
export interface CameraDemandDetails {
  name: string | null;
  enabled: boolean | null;
  path: string | null;
  query: string | null;
}
export interface CameraUnDemandDetails {
  name: string | null;
  enabled: boolean | null;
  path: string | null;
  query: string | null;
}
export interface CameraReadyDetails {
  name: string | null;
  enabled: boolean | null;
  path: string | null;
  query: string | null;
  sourceType: string;
  sourceId: string;
}
export interface CameraNotReadyDetails {
  name: string | null;
  enabled: boolean | null;
  path: string | null;
  query: string | null;
  sourceType: string;
  sourceId: string;
}
export interface CameraReadDetails {
  name: string | null;
  enabled: boolean | null;
  path: string | null;
  query: string | null;
  readerType: string;
  readerId: string;
}
export interface CameraUnreadDetails {
  name: string | null;
  enabled: boolean | null;
  path: string | null;
  query: string | null;
  readerType: string;
  readerId: string;
}
export interface CameraExtendedDetails {
  name: string;
  expiresAt: string;
}
export interface CameraFailedExtensionDetails {
  name: string;
  error: string;
}
export interface CameraMotionDetails {
  name: string;
  eventId: string;
  sessionId: string;
  at: string;
  image: string | null;
}
export interface CameraPersonDetails {
  name: string;
  eventId: string;
  sessionId: string;
  at: string;
  image: string | null;
}
export interface CameraSoundDetails {
  name: string;
  eventId: string;
  sessionId: string;
  at: string;
  image: string | null;
}
export interface CameraChimeDetails {
  name: string;
  eventId: string;
  sessionId: string;
  at: string;
  image: string | null;
}
export interface CredentialsAuthenticatedDetails {
  description: string;
}
export interface CredentialsReauthenticatedDetails {
  description: string;
}
export interface CredentialsUnauthenticatedDetails {
  description: string;
  error: string;
}
export interface RoomsCreatedDetails {
  name: string;
  private: boolean;
}
export interface RoomsUpdatedDetails {
  name: string;
  private: boolean;
  previousName?: string;
}
export interface RoomsDeletedDetails {
  name: string;
  private: boolean;
}
export interface PresenceOnlineDetails {
  id: string;
  username: string;
  email: string | null;
}
export interface PresenceOfflineDetails {
  id: string;
  username: string;
  email: string | null;
}
export interface StreamsStartedDetails {
  camera: string;
  server: string;
}
export interface StreamsStoppedDetails {
  camera: string;
  server: string;
}
export type ErrorCode =
  | 'INVALID_REQUEST'
  | 'UNAUTHORIZED'
  | 'INVALID_API_KEY'
  | 'INVALID_SIGNATURE'
  | 'REPLAYED_REQUEST'
  | 'FORBIDDEN'
  | 'NOT_FOUND'
  | 'METHOD_NOT_ALLOWED'
  | 'CONFLICT'
  | 'LIMIT_EXCEEDED'
  | 'PAYLOAD_TOO_LARGE'
  | 'UNSUPPORTED_MEDIA_TYPE'
  | 'RATE_LIMITED'
  | 'INTERNAL_SERVER_ERROR'
  | 'UNAVAILABLE'
  | 'TIMEOUT';
/** An event of a service: what happened to which entity, and when (ISO 8601, UTC). */
export interface ServiceEvent<Domain extends string, Event extends string, Details> {
  domain: Domain;
  event: Event;
  entity: string | null;
  details: Details;
  at: string;
}
/** A command that takes neither entity nor payload. */
export type NoParams = Record<string, never>;
/** Parameters and result of every command. */
export interface Commands {
  /** Log in with user name and password. Needs no login. */
  'auth.create': { params: { payload: AuthCreatePayload }; result: AuthCreateResult };
  /** Who am I. For users. */
  'auth.read': { params: NoParams; result: UsersRecord };
  /** Log out: revokes every token of the user. For users. */
  'auth.delete': { params: NoParams; result: undefined };
  /** List API keys, without the keys themselves. For administrators. */
  'api-keys.list': { params: { payload?: ApiKeysListPayload }; result: ApiKeysListResult };
  /** Make an API key; `key` is shown this once. For administrators. */
  'api-keys.create': { params: { payload: ApiKeysCreatePayload }; result: ApiKeysCreateResult };
  /** Delete an API key; it is refused from then on. For administrators. */
  'api-keys.delete': { params: { entity: string }; result: undefined };
  /** List users; `search` is the start of a user name. For administrators. */
  'users.list': { params: { payload?: UsersListPayload }; result: UsersListResult };
  /** Create a user. For administrators. */
  'users.create': { params: { payload: UsersCreatePayload }; result: UsersRecord };
  /** Read a user; everyone may read themselves. For users. */
  'users.read': { params: { entity: string }; result: UsersRecord };
  /** Change a user; a user changes only the own password and email. For users. */
  'users.update': { params: { entity: string; payload?: UsersUpdatePayload }; result: UsersRecord };
  /** Delete a user; the last administrator stays. For administrators. */
  'users.delete': { params: { entity: string }; result: undefined };
  /** List cameras; `search` is part of a room or a name. For users. */
  'cameras.list': { params: { payload?: CamerasListPayload }; result: CamerasListResult };
  /** Add a camera that is an RTSP source. For administrators. */
  'cameras.create': { params: { payload: CamerasCreatePayload }; result: CamerasRecord };
  /** Read a camera. For users. */
  'cameras.read': { params: { entity: string }; result: CamerasRecord };
  /** Change a camera; disabling it also ends its persistence. For administrators. */
  'cameras.update': { params: { entity: string; payload?: CamerasUpdatePayload }; result: CamerasRecord };
  /** Delete a camera. For administrators. */
  'cameras.delete': { params: { entity: string }; result: undefined };
  /** Seal what other keys sealed with the first encryption key: a hundred records a call. For administrators. */
  'cameras.rekey': { params: { payload?: CamerasRekeyPayload }; result: CamerasRekeyResult };
  /** List credentials; `search` is part of a description. For administrators. */
  'credentials.list': { params: { payload?: CredentialsListPayload }; result: CredentialsListResult };
  /** Store an OAuth client. For administrators. */
  'credentials.create': { params: { payload: CredentialsCreatePayload }; result: CredentialsRecord };
  /** Read credentials; or, where the entity is base64 of the JSON of what Google redirected back with ({state, code, scope, origin}), finish the authorisation. For administrators. */
  'credentials.read': { params: { entity: string }; result: CredentialsReadResult };
  /** Change credentials, or, with `origin`, ask for the URL at which Google grants access. For administrators. */
  'credentials.update': { params: { entity: string; payload?: CredentialsUpdatePayload }; result: CredentialsUpdateResult };
  /** List the devices that Google shares now, and bring the cameras to it. For administrators. */
  'credentials.sync': { params: { entity: string }; result: CredentialsSyncResult };
  /** Seal what other keys sealed with the first encryption key: a hundred records a call. For administrators. */
  'credentials.rekey': { params: { payload?: CredentialsRekeyPayload }; result: CredentialsRekeyResult };
  /** Delete credentials and the cameras found through them. For administrators. */
  'credentials.delete': { params: { entity: string }; result: undefined };
  /** List jobs; `search` is part of a name. For administrators. */
  'cronjobs.list': { params: { payload?: CronjobsListPayload }; result: CronjobsListResult };
  /** Run `SyncCloudCamerasJob` now: `credentials.sync` of all that are authorised. For administrators. */
  'cronjobs.update': { params: { entity: string }; result: CronjobsUpdateResult };
  /** List rooms the caller may see; `search` is part of a name. For users. */
  'rooms.list': { params: { payload?: RoomsListPayload }; result: RoomsListResult };
  /** Make a room; its maker and administrators may change it. For users. */
  'rooms.create': { params: { payload: RoomsCreatePayload }; result: RoomsRecord };
  /** Read a room. For users. */
  'rooms.read': { params: { entity: string }; result: RoomsRecord };
  /** Change a room. For users. */
  'rooms.update': { params: { entity: string; payload?: RoomsUpdatePayload }; result: RoomsRecord };
  /** Delete a room and its history. For users. */
  'rooms.delete': { params: { entity: string }; result: undefined };
  /** Become a member; joining a name nobody made is allowed and makes nothing. For users. */
  'rooms.join': { params: { entity: string }; result: RoomsJoinResult };
  /** Stop being a member. For users. */
  'rooms.leave': { params: { entity: string }; result: RoomsLeaveResult };
  /** Send a message to a room, or, as `me`, to the own history; it is stored before the answer. `metadata` has at most 16 KB of JSON. For users. */
  'rooms.send': { params: { entity: string; payload: RoomsSendPayload }; result: RoomsHistoryItem };
  /** The newest messages of a room, or of `me`, oldest first, at most 512 KB; `before` is the id of a message. For users. */
  'rooms.history': { params: { entity: string; payload?: RoomsHistoryPayload }; result: RoomsHistoryResult };
  /** Users with at least one session; `search` is the start of a user name. For users. */
  'presence.list': { params: { payload?: PresenceListPayload }; result: PresenceListResult };
  /** The sessions of one user. For users. */
  'presence.read': { params: { entity: string }; result: PresenceReadResult };
  /** Streams with state, readers and server. For users. */
  'streams.list': { params: { payload?: StreamsListPayload }; result: StreamsListResult };
  /** One stream. For users. */
  'streams.read': { params: { entity: string }; result: StreamsRecord };
  /** URLs, with a short-lived token, at which a camera can be watched. For users. */
  'streams.create': { params: { payload: StreamsCreatePayload }; result: StreamsCreateResult };
  /** End a stream and its readers. For users. */
  'streams.delete': { params: { entity: string }; result: undefined };
  /** Seal what other keys sealed with the first encryption key: a hundred records a call. For administrators. */
  'streams.rekey': { params: { payload?: StreamsRekeyPayload }; result: StreamsRekeyResult };
  /** healthy, degraded (some service is missing) or unhealthy (nobody can log in). Needs no login. */
  'health.list': { params: NoParams; result: HealthListResult };
  /** Release and platform. Needs no login. */
  'version.list': { params: NoParams; result: VersionListResult };
  /** OpenAPI 3.1 of the HTTP protocol. Needs no login. */
  'swagger.list': { params: NoParams; result: SwaggerListResult };
}
/** Every event of the services, as it comes on `<domain>:<event>`. */
export interface ServiceEvents {
  /** A user was created. */
  'users:created': ServiceEvent<'users', 'created', UsersCreatedDetails>;
  /** A user was changed. */
  'users:updated': ServiceEvent<'users', 'updated', UsersUpdatedDetails>;
  /** A user was deleted. */
  'users:deleted': ServiceEvent<'users', 'deleted', UsersDeletedDetails>;
  /** A camera was added. */
  'camera:created': ServiceEvent<'camera', 'created', CameraCreatedDetails>;
  /** A camera was changed. */
  'camera:updated': ServiceEvent<'camera', 'updated', CameraUpdatedDetails>;
  /** A camera was deleted. */
  'camera:deleted': ServiceEvent<'camera', 'deleted', CameraDeletedDetails>;
  /** A client attempts to read from the camera feed. */
  'camera:demand': ServiceEvent<'camera', 'demand', CameraDemandDetails>;
  /** No more clients read from the camera feed. */
  'camera:unDemand': ServiceEvent<'camera', 'unDemand', CameraUnDemandDetails>;
  /** The camera feed can be read. */
  'camera:ready': ServiceEvent<'camera', 'ready', CameraReadyDetails>;
  /** The camera feed can no longer be read. */
  'camera:notReady': ServiceEvent<'camera', 'notReady', CameraNotReadyDetails>;
  /** A client starts consuming the camera feed. */
  'camera:read': ServiceEvent<'camera', 'read', CameraReadDetails>;
  /** A client stops consuming the camera feed. */
  'camera:unread': ServiceEvent<'camera', 'unread', CameraUnreadDetails>;
  /** The source stream authentication has been extended. */
  'camera:extended': ServiceEvent<'camera', 'extended', CameraExtendedDetails>;
  /** The source stream authentication failed to be extended. */
  'camera:failed-extension': ServiceEvent<'camera', 'failed-extension', CameraFailedExtensionDetails>;
  /** The camera noticed a motion. */
  'camera:motion': ServiceEvent<'camera', 'motion', CameraMotionDetails>;
  /** The camera noticed a person. */
  'camera:person': ServiceEvent<'camera', 'person', CameraPersonDetails>;
  /** The camera noticed a sound. */
  'camera:sound': ServiceEvent<'camera', 'sound', CameraSoundDetails>;
  /** The doorbell was rung. */
  'camera:chime': ServiceEvent<'camera', 'chime', CameraChimeDetails>;
  /** Credentials have been authenticated for the first time. */
  'credentials:authenticated': ServiceEvent<'credentials', 'authenticated', CredentialsAuthenticatedDetails>;
  /** Credentials have been refreshed with a refresh token. */
  'credentials:reauthenticated': ServiceEvent<'credentials', 'reauthenticated', CredentialsReauthenticatedDetails>;
  /** Credentials failed to refresh and must be authenticated again. */
  'credentials:unauthenticated': ServiceEvent<'credentials', 'unauthenticated', CredentialsUnauthenticatedDetails>;
  /** A room was made. */
  'rooms:created': ServiceEvent<'rooms', 'created', RoomsCreatedDetails>;
  /** A room was changed; `previousName` where it had another one. Connections in it stay in it. */
  'rooms:updated': ServiceEvent<'rooms', 'updated', RoomsUpdatedDetails>;
  /** A room was deleted. */
  'rooms:deleted': ServiceEvent<'rooms', 'deleted', RoomsDeletedDetails>;
  /** The first session of a user began. */
  'presence:online': ServiceEvent<'presence', 'online', PresenceOnlineDetails>;
  /** The last session of a user ended. */
  'presence:offline': ServiceEvent<'presence', 'offline', PresenceOfflineDetails>;
  /** A stream began. */
  'streams:started': ServiceEvent<'streams', 'started', StreamsStartedDetails>;
  /** A stream ended. */
  'streams:stopped': ServiceEvent<'streams', 'stopped', StreamsStoppedDetails>;
}
/** Commands that may be sent again where no answer came: twice does what once does. */
export const repeatable: ReadonlySet<string> = new Set([
  'auth.read',
  'auth.delete',
  'api-keys.list',
  'users.list',
  'users.read',
  'cameras.list',
  'cameras.read',
  'cameras.rekey',
  'credentials.list',
  'credentials.read',
  'credentials.rekey',
  'cronjobs.list',
  'rooms.list',
  'rooms.read',
  'rooms.join',
  'rooms.leave',
  'rooms.history',
  'presence.list',
  'presence.read',
  'streams.list',
  'streams.read',
  'streams.rekey',
  'health.list',
  'version.list',
  'swagger.list',
]);
