/** What an API platform of the NHS tells a signed-JWT client, so that one written for it meets the same words. SECURITY NH-02 */
import type { AssertionFault } from './assertion.ts';

export interface NhsFault {
  readonly status: number;
  readonly error: string;
  readonly description: string;
}

const fault = (description: string, status = 400, error = 'invalid_request'): NhsFault => ({
  status,
  error,
  description,
});

const FAULTS: Record<AssertionFault, NhsFault> = {
  malformed: fault('Malformed JWT in client_assertion'),
  kid: fault("Missing 'kid' header in client_assertion JWT"),
  typ: fault("Invalid 'typ' header in client_assertion JWT - must be 'JWT'"),
  alg: fault("Invalid 'alg' header in client_assertion JWT - unsupported JWT algorithm - must be 'RS512'"),
  header: fault('Malformed JWT in client_assertion'),
  issuer: fault("Missing or non-matching 'iss'/'sub' claims in client_assertion JWT"),
  'jti-missing': fault("Missing 'jti' claim in client_assertion JWT"),
  'jti-used': fault("Non-unique 'jti' claim in client_assertion JWT"),
  aud: fault("Missing or invalid 'aud' claim in client_assertion JWT"),
  'exp-missing': fault("Missing 'exp' claim in client_assertion JWT"),
  expired: fault("Invalid 'exp' claim in client_assertion JWT - JWT has expired"),
  'exp-late': fault("Invalid 'exp' claim in client_assertion JWT - more than 5 minutes in future"),
  'not-yet': fault("Invalid 'iat' or 'nbf' claim in client_assertion JWT - in the future"),
  'no-key': fault("Invalid 'kid' header in client_assertion JWT - no matching public key", 401),
  unreachable: fault("The JWKS endpoint for your client_assertion can't be reached", 403, 'public_key error'),
  'not-registered': fault(
    'You need to register a public key to use this authentication method',
    403,
    'public_key error',
  ),
  signature: fault('JWT signature verification failed', 401),
};

export const nhsFault = (of: AssertionFault): NhsFault => FAULTS[of];

export const NHS_ASSERTION_TYPE = fault(
  "Missing or invalid client_assertion_type - must be 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'",
);
export const NHS_ASSERTION = fault('Missing client_assertion');
