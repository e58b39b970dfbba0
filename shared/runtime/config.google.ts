import { number, url } from './config.types.ts';

/** Where Google is, and what it allows. The addresses are other ones in tests, and where a proxy stands between. */
export const googleVariables = {
  GOOGLE_SDM_URL: {
    key: 'googleSdmUrl',
    type: url('http', 'https'),
    default: 'https://smartdevicemanagement.googleapis.com/v1',
    meaning: 'Smart Device Management API; another one in tests, or that of a proxy, as with the three below',
  },
  GOOGLE_CONSENT_URL: {
    key: 'googleConsentUrl',
    type: url('http', 'https'),
    default: 'https://nestservices.google.com/partnerconnections',
    meaning: 'Page on which a user grants access to devices',
  },
  GOOGLE_TOKEN_URL: {
    key: 'googleTokenUrl',
    type: url('http', 'https'),
    default: 'https://oauth2.googleapis.com/token',
    meaning: 'OAuth token endpoint',
  },
  GOOGLE_PUBSUB_URL: {
    key: 'googlePubsubUrl',
    type: url('http', 'https'),
    default: 'https://pubsub.googleapis.com/v1',
    meaning: 'Pub/Sub, for events of cameras',
  },
  GOOGLE_QUOTA_FACTOR: {
    key: 'googleQuotaFactor',
    type: number(1, 1_000),
    default: '1',
    meaning:
      "How many times Google's sandbox limits the project is allowed; above 1 for commercial projects and in tests",
  },
} as const;
