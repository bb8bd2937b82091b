/**
 * Sessions with a token: a few, shared, opened when they are needed. When the token is taken away or forgets its login,
 * all of them are closed, and the next call logs in again. SECURITY KS-01
 */
import { KeyProviderError } from './key-error.ts';
import type { Handle, Pkcs11, Pkcs11Library } from './pkcs11-library.ts';

export interface TokenOptions {
  /** Of the library, such as /usr/lib/softhsm/libsofthsm2.so. */
  readonly modulePath: string;
  readonly tokenLabel: string;
  readonly pin: string;
  readonly sessionsMax?: number;
}

export interface Session {
  readonly handle: Handle;
  readonly pkcs11: Pkcs11;
  /** Grows with every login: handles of objects are of one login. */
  readonly login: number;
}

export interface Sessions {
  /** Runs with a session of one's own; once more when the token had to be logged in again. */
  use<T>(work: (session: Session) => Promise<T>): Promise<T>;
  close(): void;
}

const SESSIONS_MAX = 8;
const WAITING_MAX = 1000;
const CKF_SERIAL_SESSION = 4;
const CKF_RW_SESSION = 2;
const CKU_USER = 1;
/** Signatures are made on several threads. */
const CKF_OS_LOCKING_OK = 2;
/** What says that the token, the session or the login is gone, by the numbers of the standard. */
const LOST = new Set([
  0x05, // general error
  0x30, // device error
  0x32, // device removed
  0x60, // key handle invalid
  0x82, // object handle invalid
  0xb0, // session closed
  0xb3, // session handle invalid
  0xe0, // token not present
  0xe1, // token not recognised
  0x101, // user not logged in
  0x190, // cryptoki not initialised
]);
const ALREADY_LOGGED_IN = 0x100;
const ALREADY_INITIALISED = 0x191;
const WRONG_PIN = new Set([0xa0, 0xa2, 0xa4]);

const codeOf = (error: unknown): number => (error as { readonly code?: number }).code ?? -1;

export function createSessions(library: Pkcs11Library, options: TokenOptions): Sessions {
  const { modulePath, tokenLabel, pin, sessionsMax = SESSIONS_MAX } = options;
  const idle: Handle[] = [];
  const waiting: (() => void)[] = [];
  let pkcs11: Pkcs11 | undefined;
  let slot: Handle | undefined;
  let open = 0;
  let login = 0;
  /** A wrong PIN is never tried twice: after a few the token locks itself. */
  let isPinWrong = false;

  function start(): Pkcs11 {
    if (pkcs11) return pkcs11;
    const next = new library.PKCS11();
    try {
      next.load(modulePath);
      initialise(next);
    } catch (cause) {
      throw new KeyProviderError(
        'unavailable',
        `the PKCS#11 library ${modulePath} cannot be used (${(cause as Error).message})`,
        cause,
      );
    }
    pkcs11 = next;
    return next;
  }

  function findSlot(of: Pkcs11): Handle {
    const found = of.C_GetSlotList(true).find((candidate) => {
      try {
        return of.C_GetTokenInfo(candidate).label.trim() === tokenLabel;
      } catch {
        return false; // another token that cannot be read
      }
    });
    if (!found)
      throw new KeyProviderError(
        'unavailable',
        `there is no token ${JSON.stringify(tokenLabel)}: plug it in, or name another`,
      );
    return found;
  }

  function openSession(): Session {
    if (isPinWrong)
      throw new KeyProviderError(
        'refused',
        `the PIN of the token ${JSON.stringify(tokenLabel)} is wrong: set the right one and start again`,
      );
    let of = start();
    if (!slot && open === 0) of = restarted(of); // or it would not see a token that was brought since
    slot ??= findSlot(of);
    const handle = of.C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION);
    open += 1;
    try {
      of.C_Login(handle, CKU_USER, pin);
      login += 1;
    } catch (error) {
      if (codeOf(error) !== ALREADY_LOGGED_IN) {
        open -= 1;
        of.C_CloseSession(handle);
        isPinWrong = WRONG_PIN.has(codeOf(error));
        throw isPinWrong
          ? new KeyProviderError('refused', `the PIN of the token ${JSON.stringify(tokenLabel)} is wrong`, error)
          : error;
      }
    }
    return { handle, pkcs11: of, login };
  }

  /** Forgets everything; the library is begun anew, as it would not see a token that came back. */
  function reset(): void {
    idle.length = 0;
    open = 0;
    slot = undefined;
    login += 1;
    if (pkcs11) restart(pkcs11);
    for (const wake of waiting.splice(0)) wake();
  }

  function restart(of: Pkcs11): void {
    ignoring(() => of.C_Finalize());
    try {
      initialise(of);
    } catch {
      pkcs11 = undefined; // it is loaded anew
    }
  }

  function restarted(of: Pkcs11): Pkcs11 {
    restart(of);
    return start();
  }

  async function take(): Promise<Session> {
    const handle = idle.pop();
    if (handle && pkcs11) return { handle, pkcs11, login };
    if (open < sessionsMax) return openSession();
    if (waiting.length >= WAITING_MAX) throw new KeyProviderError('unavailable', 'too many wait for the token');
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.push(resolve);
    await promise;
    return take();
  }

  function give({ handle, login: of }: Session): void {
    if (of === login) idle.push(handle);
    waiting.shift()?.();
  }

  /** Something may be left half done in it. */
  function drop({ handle, login: of }: Session): void {
    if (of !== login) return;
    open -= 1;
    ignoring(() => pkcs11?.C_CloseSession(handle));
    waiting.shift()?.();
  }

  return {
    async use(work) {
      for (let isLast = false; ; isLast = true) {
        const before = login;
        let session: Session | undefined;
        try {
          session = await take();
          const result = await work(session);
          give(session);
          return result;
        } catch (error) {
          if (session) drop(session);
          const isLost = LOST.has(codeOf(error));
          // Of many calls that fail at once, the first begins anew.
          if (isLost && login === (session?.login ?? before)) reset();
          if (isLast || !isLost) throw named(error);
        }
      }
    },
    close() {
      if (!pkcs11) return;
      if (slot) ignoring(() => pkcs11?.C_CloseAllSessions(slot as Handle));
      ignoring(() => pkcs11?.C_Finalize());
      pkcs11.close();
      pkcs11 = undefined;
    },
  };

  function named(error: unknown): unknown {
    if (error instanceof KeyProviderError) return error;
    return new KeyProviderError(
      'unavailable',
      `the token ${JSON.stringify(tokenLabel)} cannot be used (${(error as Error).message})`,
      error,
    );
  }
}

function initialise(pkcs11: Pkcs11): void {
  try {
    pkcs11.C_Initialize({ flags: CKF_OS_LOCKING_OK });
  } catch (error) {
    if (codeOf(error) !== ALREADY_INITIALISED) throw error;
  }
}

function ignoring(step: () => void): void {
  try {
    step();
  } catch {
    // it is being closed, and may be gone
  }
}
