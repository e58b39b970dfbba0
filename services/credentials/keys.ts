import { type Vault, VaultError } from '../../shared/runtime/vault.ts';
import { type Credentials, type SealedKey, sealContext } from './credentials.store.ts';
import type { OAuthClientKeys, Tokens } from './google/oauth.ts';

/** Undefined where it does not open: what is entered anew must be able to take its place. */
function ifOpen<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof VaultError) return undefined;
    throw error;
  }
}

/** What is sealed in stored credentials. Each throws VaultError where a text does not open. */
export function sealedParts(vault: Vault) {
  const open = ({ id }: Credentials, key: SealedKey, sealed: string) => vault.open(sealed, sealContext(id, key));
  return {
    seal: (id: string, key: SealedKey, text: string): string => vault.seal(text, sealContext(id, key)),
    client: (record: Credentials): OAuthClientKeys => ({
      clientId: open(record, 'sealedClientId', record.sealedClientId),
      clientSecret: open(record, 'sealedClientSecret', record.sealedClientSecret),
    }),
    project: (record: Credentials): string | null =>
      record.sealedProjectId === null ? null : open(record, 'sealedProjectId', record.sealedProjectId),
    isProject(record: Credentials, project: string | null): boolean {
      return ifOpen(() => this.project(record)) === project;
    },
    tokensOpen(record: Credentials): boolean {
      return ifOpen(() => this.tokens(record)) !== undefined;
    },
    tokens: (record: Credentials): Tokens | null =>
      record.sealedTokens === null ? null : JSON.parse(open(record, 'sealedTokens', record.sealedTokens)),
    sealTokens: (id: string, tokens: Tokens): string =>
      vault.seal(JSON.stringify(tokens), sealContext(id, 'sealedTokens')),
  };
}

export type SealedParts = ReturnType<typeof sealedParts>;
