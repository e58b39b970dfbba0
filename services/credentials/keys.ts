import { type Vault, VaultError } from '../../shared/runtime/vault.ts';
import { type Credentials, type SealedKey, sealContext } from './credentials.store.ts';
import type { OAuthClientKeys, Tokens } from './google/oauth.ts';

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
    /** False also where the stored one does not open: what is entered anew must be able to take its place. */
    isProject(record: Credentials, project: string | null): boolean {
      try {
        return this.project(record) === project;
      } catch (error) {
        if (error instanceof VaultError) return false;
        throw error;
      }
    },
    tokens: (record: Credentials): Tokens | null =>
      record.sealedTokens === null ? null : JSON.parse(open(record, 'sealedTokens', record.sealedTokens)),
    sealTokens: (id: string, tokens: Tokens): string =>
      vault.seal(JSON.stringify(tokens), sealContext(id, 'sealedTokens')),
  };
}

export type SealedParts = ReturnType<typeof sealedParts>;
