/** Why a call to a media server failed. */
export type MediaErrorKind =
  /** What the call names is not there, or the protocol it belongs to is off. */
  | 'not-found'
  /** The server answered and said no: an invalid value, wrong credentials, its own fault. */
  | 'refused'
  /** No answer: nobody listens, the connection broke, or 2 s passed. */
  | 'unreachable'
  /** An answer that is not what the control API promises. */
  | 'invalid';

/** The message names the call, never its body: that may hold a camera's password. */
export class MediaError extends Error {
  override readonly name = 'MediaError';
  readonly kind: MediaErrorKind;
  /** The HTTP status, where there was an answer. */
  readonly status: number | undefined;
  /** What the server said, at most 300 characters. It may quote a source's URL: do not show it to clients. */
  readonly said: string;

  constructor(
    kind: MediaErrorKind,
    message: string,
    options: { status?: number; said?: string; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.kind = kind;
    this.status = options.status;
    this.said = (options.said ?? '').slice(0, 300);
  }
}

/** A path of somebody else has the name of one that was to be written. */
export class PathTaken extends MediaError {
  constructor(name: string) {
    super('refused', takenProblem(name));
  }
}

export const takenProblem = (name: string): string => `The media server has a path named ${name} that is not Trigate's`;

export const isMediaError = (error: unknown, kind?: MediaErrorKind): error is MediaError =>
  error instanceof MediaError && (kind === undefined || error.kind === kind);
