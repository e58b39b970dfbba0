export interface HttpDriverOptions {
  /** Of the Trigate behind; default `TRIGATE_URL`, else http://127.0.0.1:3000. */
  url?: string | undefined;
  /** Of its Socket.IO gateway where that has an address of its own; default `TRIGATE_SOCKETIO_URL`, else `url`. */
  socketioUrl?: string | undefined;
  /**
   * API key or bearer of an administrator, default `TRIGATE_TOKEN`: with it `POST /<eventName>` is sent on where the
   * request brings none. Whoever reaches this port then sends events in its name.
   */
  token?: string | undefined;
}
