/** Why somebody who comes back from a provider is not let in: a page for them, a rule for the audit trail. */

export type RefusalRule = keyof typeof REFUSALS;

interface Words {
  readonly status: number;
  readonly title: string;
  /** What to do about it; nothing of the person. */
  readonly text: string;
}

const AGAIN = 'Go back to the sign-in page and start again.';

const REFUSALS = {
  state: {
    status: 400,
    title: 'This sign-in is over',
    text: `It took longer than ten minutes, was used already, or was begun in another browser. ${AGAIN}`,
  },
  cancelled: {
    status: 400,
    title: 'You have not signed in',
    text: `The sign-in was stopped at the provider. ${AGAIN}`,
  },
  unavailable: {
    status: 503,
    title: 'The sign-in service cannot be reached',
    text: 'Try again in a few minutes, or sign in another way.',
  },
  'id-token': {
    status: 403,
    title: 'You cannot be signed in',
    text: `The answer of the sign-in service could not be trusted. ${AGAIN} If this goes on, tell your administrator.`,
  },
  'not-fresh': { status: 403, title: 'Sign in again', text: `Your last sign-in at the provider is too old. ${AGAIN}` },
  'authenticator-level': {
    status: 403,
    title: 'You need a stronger way to sign in',
    text: 'Sign in with a smartcard, a security key or another way of the level that this service asks for.',
  },
  'identity-level': {
    status: 403,
    title: 'Your identity is not verified to the level needed',
    text: 'Ask the registration authority of your organisation to verify your identity.',
  },
  'no-roles': {
    status: 403,
    title: 'You have no role',
    text: 'Your account in the national directory has no role profile at an organisation. Ask your registration authority.',
  },
  'role-not-listed': {
    status: 403,
    title: 'This role is not one of yours',
    text: `The role that was chosen is not among those of your account. ${AGAIN}`,
  },
  'role-not-mapped': {
    status: 403,
    title: 'Your role gives no access',
    text: 'This service gives no rights to the role you have chosen. Choose another one, or ask your administrator.',
  },
  'no-registration': {
    status: 403,
    title: 'Your professional registration is missing',
    text: 'To prescribe, your practitioner record here must hold your registration number (GMC, NMC, GPhC or HCPC). Ask your administrator.',
  },
  'organization-unknown': {
    status: 403,
    title: 'Your organisation is not known here',
    text: 'The organisation of the role you have chosen does not use this service. Choose another role, or ask your administrator.',
  },
  proofing: {
    status: 403,
    title: 'You have to prove who you are first',
    text: 'Your NHS login has no proof of identity yet. Prove who you are at NHS login, then sign in here again.',
  },
  'no-record': {
    status: 403,
    title: 'Your record was not found',
    text: 'No one record here fits the details of your NHS login. Ask your surgery to check your name, date of birth and NHS number.',
  },
  disabled: {
    status: 403,
    title: 'You cannot be signed in',
    text: 'Your account here is not in use. Ask your administrator.',
  },
  'linked-elsewhere': {
    status: 409,
    title: 'This identity belongs to another account',
    text: 'It cannot be connected to yours. Disconnect it in the other account first, or ask your administrator.',
  },
  'other-person': {
    status: 403,
    title: 'Somebody else has signed in meanwhile',
    text: 'An identity is connected only by who began to. Nothing was changed.',
  },
} as const satisfies Record<string, Words>;

export class UpstreamRefusal extends Error {
  readonly rule: RefusalRule;
  /** What exactly, for the audit trail: a code. */
  readonly detail: string;

  constructor(rule: RefusalRule, detail: string = rule) {
    super(`sign-in through a provider is refused: ${detail}`);
    this.name = 'UpstreamRefusal';
    this.rule = rule;
    this.detail = detail;
  }

  get words(): Words {
    return REFUSALS[this.rule];
  }
}
