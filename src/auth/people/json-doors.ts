/** Signing in for apps that bring their own pages: `/api/v2/auth/*` and `/booking/v1/auth/*`. SECURITY LG-15 */
import express, { type Request, type Response, Router } from 'express';
import type { Log } from '../../ports/log.ts';
import type { User } from '../../ports/users.ts';
import type { Account } from './account.ts';
import { findPasswordFault, isStaff } from './passwords.ts';
import { answering, email, Problem, problemErrors, readFields, secretText, text, throttled } from './problem.ts';
import type { Proof } from './sessions.ts';
import type { SignIn } from './sign-in.ts';
import type { Throttle } from './throttle.ts';

export interface IssuedTokens {
  readonly accessToken: string;
  readonly refreshToken: string;
  /** Seconds. */
  readonly expiresIn: number;
}

/** Makes tokens for somebody who has signed in. */
export type IssueTokens = (grant: Proof & { readonly scope: string }) => Promise<IssuedTokens>;

/** A successor for a refresh token; undefined when it is none, is spent, or its family has ended. */
export type RefreshTokens = (refreshToken: string) => Promise<IssuedTokens | undefined>;

export interface JsonDoorsOptions {
  readonly signIn: SignIn;
  readonly account: Account;
  readonly throttle: Throttle;
  readonly issueTokens: IssueTokens;
  readonly refreshTokens: RefreshTokens;
  readonly addressOf: (req: Request) => string;
  readonly log: Log;
}

export const BODY_MAX = '64kb';

const CREDENTIALS = { email: { ...text('an e-mail address', 254) }, password: secretText('the password') };
const CODE = {
  mfa_token: text('the mfa_token of the login', 100),
  code: text('a code of the app, or a recovery code', 40),
};
const REFRESH = { refresh_token: text('a refresh token', 1024) };
const NHS_NUMBER = /^\d{10}$/;
const REGISTRATION = {
  email,
  password: secretText('a password'),
  nhs_number: {
    about: 'an NHS number: ten digits with the right check digit',
    parse: (value: unknown) => {
      const digits = typeof value === 'string' ? value.replaceAll(/[\s-]/g, '') : '';
      return isNhsNumber(digits) ? digits : undefined;
    },
  },
  role: { about: 'PATIENT: others are invited', parse: (value: unknown) => (value === 'PATIENT' ? value : undefined) },
} as const;

export function createJsonDoors(options: JsonDoorsOptions): Router {
  const { signIn, account, throttle, issueTokens, refreshTokens, addressOf, log } = options;

  const sendTokens = (res: Response, { accessToken, refreshToken, expiresIn }: IssuedTokens): void => {
    res.json({ access_token: accessToken, refresh_token: refreshToken, token_type: 'Bearer', expires_in: expiresIn });
  };
  const sendProof = async (res: Response, proof: Proof): Promise<void> =>
    sendTokens(res, await issueTokens({ ...proof, scope: scopeOf(proof.user) }));

  async function login(req: Request, res: Response): Promise<void> {
    const credentials = readFields(req, CREDENTIALS);
    const result = await signIn.password({ ...credentials, address: addressOf(req) });
    switch (result.kind) {
      case 'done':
        return sendProof(res, result.proof);
      case 'second-step':
        res.json({ mfa_required: true, mfa_token: result.token });
        return;
      case 'enrolment':
        throw new Problem(
          403,
          'mfa_enrolment_required',
          'This account needs a second factor first: sign in once at /sign-in with a browser to set it up',
        );
      case 'throttled':
        throw throttled(result.retryAfterMs);
      case 'refused':
        throw refused();
    }
  }

  async function verify(req: Request, res: Response): Promise<void> {
    const { mfa_token: token, code } = readFields(req, CODE);
    const kind = /^\s*(?:\d[\s-]*){6}$/.test(code) ? 'code' : 'recovery';
    const result = await signIn.secondStep({ token, answer: { kind, code }, address: addressOf(req) });
    switch (result.kind) {
      case 'done':
        return sendProof(res, result.proof);
      case 'throttled':
        throw throttled(result.retryAfterMs);
      case 'wrong':
        throw new Problem(401, 'invalid_code', 'The code is not right: use the newest one, each only once');
      case 'over':
        throw new Problem(401, 'invalid_mfa_token', 'This step is over: log in again');
    }
  }

  async function refresh(req: Request, res: Response): Promise<void> {
    const { refresh_token: token } = readFields(req, REFRESH);
    const tokens = await refreshTokens(token);
    if (!tokens) throw new Problem(401, 'invalid_grant', 'The refresh token is not good any more: log in again');
    sendTokens(res, tokens);
  }

  async function register(req: Request, res: Response): Promise<void> {
    const wait = await throttle.admitRegistration(addressOf(req));
    if (wait !== undefined) throw throttled(wait);
    const { email, password, nhs_number: nhsNumber } = readFields(req, REGISTRATION);
    const fault = findPasswordFault(password, { email, name: '', roles: ['PATIENT'] });
    if (fault !== undefined) throw new Problem(400, 'weak_password', fault);
    await account.register({ email, password, nhsNumber });
    res.status(202).json({ status: 'check_email' });
  }

  const router = Router();
  const json = express.json({ limit: BODY_MAX, strict: true, type: 'application/json' });
  const open = (path: string, handle: (req: Request, res: Response) => Promise<void>): void => {
    router.post(path, json, answering(log, handle));
    router.all(path, (_req, res) => {
      res.set('Allow', 'POST').status(405).type('application/problem+json');
      res.send(
        JSON.stringify({ type: 'about:blank', title: 'method_not_allowed', status: 405, code: 'method_not_allowed' }),
      );
    });
  };
  for (const base of ['/api/v2/auth', '/booking/v1/auth']) {
    open(`${base}/login`, login);
    open(`${base}/refresh`, refresh);
    open(`${base}/mfa/verify`, verify);
  }
  open('/booking/v1/auth/register', register);
  router.use(problemErrors(log));
  return router;
}

/** One answer for unknown, wrong, disabled and locked. SECURITY LG-04 */
const refused = (): Problem =>
  new Problem(401, 'invalid_credentials', 'The e-mail address and the password do not fit', {
    'WWW-Authenticate': 'Bearer',
  });

/** What an app that signs people in by password may do for them: what they may do themselves. */
const scopeOf = (user: User): string =>
  `openid fhirUser profile online_access ${isStaff(user.roles) ? 'user/*.cruds' : 'patient/*.cruds'}`;

/** Modulus 11 over the first nine digits. https://www.datadictionary.nhs.uk/attributes/nhs_number.html */
function isNhsNumber(digits: string): boolean {
  if (!NHS_NUMBER.test(digits)) return false;
  const sum = [...digits.slice(0, 9)].reduce((total, digit, i) => total + Number(digit) * (10 - i), 0);
  const check = 11 - (sum % 11);
  return check !== 10 && (check === 11 ? 0 : check) === Number(digits[9]);
}
