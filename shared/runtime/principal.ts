/** Who calls. It travels as `meta.principal` with every call. */
export interface Principal {
  readonly kind: 'user' | 'key' | 'anonymous';
  readonly id: string;
  readonly username: string;
  readonly email: string | null;
  readonly roles: readonly ('admin' | 'user')[];
  /** Unix seconds at which the token ends; absent for keys. */
  readonly expires?: number;
}

export const anonymous: Principal = { kind: 'anonymous', id: '', username: '', email: null, roles: [] };
