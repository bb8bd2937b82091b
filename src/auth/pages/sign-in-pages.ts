/** Signing in and out: password, second step, recovery code, and proving again who you are. SECURITY LG-04 … LG-13 */
import type { Response, Router } from 'express';
import { isEmail, throttled } from '../people/problem.ts';
import { hashOf } from '../people/secrets.ts';
import type { SecondFactorAnswer } from '../people/sign-in.ts';
import { fieldOf, nextOf, ofAccount, type PageKit, type PageParts, seeOther, withNext } from './kit.ts';
import type { FieldFault } from './layout.ts';
import {
  type SignInPage,
  sendAgain,
  sendRecovery,
  sendSecondStep,
  sendSignIn,
  tooMany,
  withDone,
} from './sign-in-views.ts';

const WRONG: FieldFault = { field: 'email', text: 'Enter the e-mail address and password of your account' };

export function addSignInPages(router: Router, parts: PageParts, kit: PageKit): void {
  const { signIn, sessions, securityKeys, challenges, cookies, addressOf, record, now } = parts;

  const showSignIn = (res: Response, next: string, page: SignInPage): void =>
    sendSignIn(res, next, page, parts.upstream, parts.card?.url());

  router.get(
    '/sign-in',
    kit.open(async (req, res) => {
      if (await sessions.find(req)) return seeOther(res, nextOf(req));
      showSignIn(res, nextOf(req), { done: req.query['done'] });
    }),
  );

  router.post(
    '/sign-in',
    kit.form(async (req, res) => {
      const [email, password, next] = [fieldOf(req, 'email').trim(), fieldOf(req, 'password'), nextOf(req)];
      const faults = missing({ email, password });
      if (faults.length > 0) return showSignIn(res, next, { email, errors: faults });
      const device = cookies.read(req, 'device');
      const result = await signIn.password({
        email,
        password,
        address: addressOf(req),
        ...(device !== undefined && { device }),
      });
      switch (result.kind) {
        case 'done':
          return kit.finish(req, res, result.proof, next);
        case 'second-step':
          kit.openStep(res, result.token);
          return seeOther(res, withNext('/sign-in/second-step', next));
        case 'enrolment':
          kit.openStep(res, result.token);
          return seeOther(res, withNext('/sign-in/enrol', next));
        case 'throttled':
          res.set(throttled(result.retryAfterMs).headers);
          return showSignIn(res, next, { email, errors: [tooMany('email', result.retryAfterMs)], status: 429 });
        case 'refused':
          return showSignIn(res, next, { email, errors: [WRONG], status: 401 });
      }
    }),
  );

  router.get(
    '/sign-in/second-step',
    kit.open(async (req, res) => {
      const step = kit.step(req);
      const found = step && (await signIn.findSecondStep(step.token));
      if (!step || !found) return seeOther(res, withNext('/sign-in', nextOf(req)));
      sendSecondStep(res, step.csrf, nextOf(req), await keyQuestion(step.token), found.person.totp !== undefined);
    }),
  );

  router.get(
    '/sign-in/recovery',
    kit.open(async (req, res) => {
      const step = kit.step(req);
      if (!step || !(await signIn.findSecondStep(step.token))) return seeOther(res, withNext('/sign-in', nextOf(req)));
      sendRecovery(res, step.csrf, nextOf(req));
    }),
  );

  const answered = (path: string, read: (code: string) => SecondFactorAnswer, field: string): void => {
    router.post(
      path,
      kit.stepForm(async (req, res, token) => {
        const next = nextOf(req);
        const device = cookies.read(req, 'device');
        const result = await signIn.secondStep({
          token,
          answer: read(fieldOf(req, field)),
          address: addressOf(req),
          ...(device !== undefined && { device }),
        });
        if (result.kind === 'done') {
          cookies.clear(res, 'step');
          return kit.finish(req, res, result.proof, next);
        }
        if (result.kind === 'over') {
          cookies.clear(res, 'step');
          return seeOther(res, withDone(withNext('/sign-in', next), 'over'));
        }
        if (result.kind === 'throttled') res.set(throttled(result.retryAfterMs).headers);
        const fault = result.kind === 'throttled' ? tooMany('code', result.retryAfterMs) : wrongCode(path);
        const status = result.kind === 'throttled' ? 429 : 401;
        const csrf = fieldOf(req, 'csrf'); // it was compared with the step's
        if (path === '/sign-in/recovery') return sendRecovery(res, csrf, next, [fault], status);
        const found = await signIn.findSecondStep(token);
        sendSecondStep(res, csrf, next, await keyQuestion(token), found?.person.totp !== undefined, [fault], status);
      }),
    );
  };
  answered('/sign-in/second-step', (code) => ({ kind: 'code', code }), 'code');
  answered('/sign-in/recovery', (code) => ({ kind: 'recovery', code }), 'code');
  answered('/sign-in/security-key', (answer) => ({ kind: 'security-key', answer }), 'answer');

  router.get(
    '/sign-in/again',
    kit.signedIn(async (req, res, session) => sendAgain(res, session.csrf, nextOf(req))),
  );

  router.post(
    '/sign-in/again',
    kit.signedInForm(
      ofAccount(async (req, res, session) => {
        const next = nextOf(req);
        const proven = await kit.provePassword(req, session, fieldOf(req, 'password'));
        if (proven.kind === 'throttled')
          return sendAgain(res, session.csrf, next, [tooMany('password', proven.retryAfterMs)], 429);
        if (proven.kind === 'wrong')
          return sendAgain(res, session.csrf, next, [{ field: 'password', text: 'Enter your password' }], 401);
        await sessions.start(req, res, { user: session.user, amr: session.amr, authTime: now() });
        seeOther(res, next);
      }),
    ),
  );

  router.post(
    '/sign-out',
    kit.signedInForm(async (req, res, session) => {
      await sessions.end(req, res);
      await record({ kind: 'logout', outcome: 0, rule: 'signed-out', user: session.user, address: addressOf(req) });
      seeOther(res, '/sign-in?done=signed-out');
    }),
  );

  /** What the browser's security key is asked in this step; undefined for who has none. */
  async function keyQuestion(token: string): Promise<string | undefined> {
    const found = await signIn.findSecondStep(token);
    if (!found || found.person.securityKeyCount === 0) return undefined;
    const { options, challenge } = await securityKeys.ask(found.person);
    await challenges.setData(hashOf(token), { keyChallenge: challenge });
    return JSON.stringify(options);
  }
}

function missing({ email, password }: { readonly email: string; readonly password: string }): FieldFault[] {
  const faults: FieldFault[] = [];
  if (email === '') faults.push({ field: 'email', text: 'Enter your e-mail address' });
  else if (!isEmail(email))
    faults.push({ field: 'email', text: 'Enter an e-mail address in the right form, like name@example.org' });
  if (password === '') faults.push({ field: 'password', text: 'Enter your password' });
  else if (password.length > 1024)
    faults.push({ field: 'password', text: 'Enter a password of at most 128 characters' });
  return faults;
}

const wrongCode = (path: string): FieldFault =>
  path === '/sign-in/recovery'
    ? { field: 'code', text: 'Enter one of your recovery codes that you have not used yet' }
    : { field: 'code', text: 'Enter the newest code: each works once' };
