import type { Principal } from '../../shared/runtime/principal.ts';

/** Who a token of somebody else's users says it is; of its roles only `admin` means anything here. */
export function externalPrincipal(id: string, claims: Record<string, unknown>, expires?: number): Principal {
  const roles = Array.isArray(claims.roles) ? claims.roles : [];
  return {
    kind: 'user',
    id,
    username: typeof claims.username === 'string' ? claims.username : id,
    email: typeof claims.email === 'string' ? claims.email : null,
    roles: roles.includes('admin') ? ['admin', 'user'] : ['user'],
    ...(expires !== undefined && { expires }),
  };
}
