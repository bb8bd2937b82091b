/** Limits by address at the doors where nobody has said yet who they are. SECURITY WB-06. */
import type { IncomingMessage } from 'node:http';
import type { FhirError } from '../standards/fhir/outcome.ts';
import { type AddressOf, addressGroup } from './address.ts';
import { type RateClass, type RateLimits, throttled } from './rate-limit.ts';

export interface DoorLimit {
  /** The beginning of the path: `/sign-in` is also `/sign-in/totp`. */
  readonly path: string;
  readonly rateClass: RateClass;
  /** Nothing below the path, and by every method: what is asked for is kept. */
  readonly isWhole?: boolean;
  /** By every method, all below the path: each keeps something or asks another server. */
  readonly isEveryMethod?: boolean;
}

/** Else only what is sent is counted: looking at a form costs nothing and proves nothing. */
const DOOR_LIMITS: readonly DoorLimit[] = [
  { path: '/sign-in/with', rateClass: 'authorize', isEveryMethod: true },
  { path: '/sign-in', rateClass: 'login' },
  { path: '/setup', rateClass: 'login' },
  { path: '/api/v2/auth/login', rateClass: 'login' },
  { path: '/api/v2/auth/mfa/verify', rateClass: 'login' },
  { path: '/booking/v1/auth/login', rateClass: 'login' },
  { path: '/booking/v1/auth/register', rateClass: 'register' },
  { path: '/oauth2/register', rateClass: 'register' },
  { path: '/oauth2/authorize', rateClass: 'authorize', isWhole: true },
  { path: '/oauth2/par', rateClass: 'authorize', isWhole: true },
];

/** Undefined when the request is not limited; else resolves to why it is refused. */
export type LimitDoor = (req: IncomingMessage) => Promise<FhirError | undefined> | undefined;

export interface DoorLimiterOptions {
  readonly limits: RateLimits;
  readonly addressOf: AddressOf;
  readonly doors?: readonly DoorLimit[];
}

export function createDoorLimiter({ limits, addressOf, doors = DOOR_LIMITS }: DoorLimiterOptions): LimitDoor {
  return (req) => {
    const path = pathOf(req.url ?? '');
    const isSent = req.method === 'POST';
    const door = doors.find(({ path: of, isWhole, isEveryMethod }) =>
      isWhole
        ? path === of || path === `${of}/`
        : (isSent || isEveryMethod) && (path === of || path.startsWith(`${of}/`)),
    );
    return door && check(door.rateClass, addressGroup(addressOf(req)));
  };

  async function check(rateClass: RateClass, address: string): Promise<FhirError | undefined> {
    const verdict = await limits.check(rateClass, address);
    return verdict.allowed ? undefined : throttled(verdict);
  }
}

/** As a router that takes either case, slashes too many and escapes would read it, so that none of them is a way round. */
function pathOf(url: string): string {
  const question = url.indexOf('?');
  const path = question < 0 ? url : url.slice(0, question);
  return decodeSafely(path)
    .toLowerCase()
    .replaceAll(/\/{2,}/g, '/');
}

function decodeSafely(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
