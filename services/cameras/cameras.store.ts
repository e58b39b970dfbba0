import type { Collection, Collections, Stored } from '../../shared/store/collection.ts';

export interface Camera extends Stored {
  credentialId: string | null;
  /** Google's device name and the whole device, sealed; absent or null where there is no Google device. */
  sealedUid?: string | null;
  sealedInfo?: string | null;
  /** When Google was first seen no longer to share the device. */
  vanishedAt?: string | null;
  /** Hex SHA-256 of the device name, or of the id where there is none. */
  checksum: string;
  room: string;
  name: string;
  /** The RTSP URL without query, user name and password, as it may be shown. */
  source: string | null;
  /** The whole of it, sealed. */
  sealedSource: string | null;
  mtx_path: string | null;
  is_enabled: boolean;
  is_persistent: boolean;
}

export const camerasStore = (stores: Collections): Promise<Collection<Camera>> =>
  stores.collection<Camera>({
    name: 'cameras',
    unique: ['mtx_path', 'checksum'],
    sortable: ['createdAt', 'name', 'room', 'id'],
    search: { keys: ['room', 'name'], match: 'contains' },
    indexes: [['credentialId', 'id']],
  });
