/**
 * What notices say outside the app, by kind and language: that there is something, and never what. No subject, text message
 * or push message names a patient, a medicine, a practice or a pharmacy. SECURITY DP-07, IN-44; MISSION M13
 */
import type { NoticeChannel } from '../../ports/notices.ts';

export interface Wording {
  /** Of a mail, and the title of a push message. */
  readonly subject: string;
  /** Paragraphs of a mail. `$COUNT`, `$REFERENCES`, `$DIGEST` are replaced. */
  readonly lines: readonly string[];
  /** Of a text message and of a push message: one part of 160 characters with the link. */
  readonly short: string;
}

export type Language = 'en' | 'cy';

const of = (subject: string, line: string, short = line): Wording => ({ subject, lines: [line], short });

const NEWS = of(
  'You have a message about your prescriptions',
  'There is news about a prescription of yours. Sign in to read it.',
);
const RECORD = of('You have a message about your record', 'There is a message about your record. Sign in to read it.');
const CY_NEWS = of(
  'Mae gennych neges am eich presgripsiynau',
  "Mae newyddion am un o'ch presgripsiynau. Mewngofnodwch i'w ddarllen.",
);
const CY_RECORD = of('Mae gennych neges am eich cofnod', "Mae neges am eich cofnod. Mewngofnodwch i'w darllen.");
const RECORD_KINDS = new Set(['break-glass', 'rectification-refused']);

/** Of staff and pharmacies, in English alone. */
const WORK: ReadonlyMap<string, Wording> = new Map([
  [
    'prescription-requested',
    {
      subject: 'Requests wait for review',
      lines: ['New requests in your worklist: $COUNT.'],
      short: 'Requests wait in your worklist.',
    },
  ],
  [
    'request-escalated',
    {
      subject: 'Requests need a prescriber',
      lines: ["Requests that need a prescriber's review: $COUNT."],
      short: "Requests need a prescriber's review.",
    },
  ],
  [
    'cancellation-asked',
    {
      subject: 'A patient waits for your answer',
      lines: ['Patients who ask for a prescription to be cancelled, which you alone can do: $COUNT.'],
      short: 'A patient waits for your answer. Sign in to read it.',
    },
  ],
  ['pharmacy-digest', { subject: 'Your prescriptions this morning', lines: ['$DIGEST'], short: '' }],
  [
    'controlled-drug',
    {
      subject: 'A prescription that needs your attention',
      lines: [
        'Prescriptions for controlled drugs that have arrived: $COUNT. They are first in your queue.',
        '$REFERENCES',
      ],
      short: '',
    },
  ],
  [
    'staff',
    of(
      'A prescription needs your attention',
      'There is news about a prescription that you signed. Sign in to read it.',
    ),
  ],
]);

const OFF: Readonly<Record<Language, string>> = {
  en: 'You get this because of the care you are given, or because you asked for it. To get no more of these messages: $LINK',
  cy: "Rydych yn cael hwn oherwydd y gofal a gewch, neu am i chi ofyn amdano. I beidio â chael rhagor o'r negeseuon hyn: $LINK",
};

/** What a patient says at the counter: one part of 160 characters that tells nobody what is collected, or where. */
const COLLECTION_CODE: Readonly<Record<Language, string>> = {
  en: 'Your collection code is $CODE. It is valid for 10 minutes. Say it only to the person who hands over your order.',
  cy: "Eich cod casglu yw $CODE. Mae'n ddilys am 10 munud. Dywedwch ef wrth y sawl sy'n rhoi'ch archeb i chi yn unig.",
};

export const collectionCodeText = (language: Language, code: string): string =>
  COLLECTION_CODE[language].replace('$CODE', code);

/** `en-GB` is `en`; what there are no texts in is English. */
export const languageOf = (tag: string | undefined): Language => (/^cy\b/i.test(tag ?? '') ? 'cy' : 'en');

function wordingOf(kind: string, recipientType: string, language: Language): Wording {
  const work = WORK.get(kind);
  if (work) return work;
  if (recipientType === 'Practitioner') return WORK.get('staff') as Wording; // it stands above
  if (RECORD_KINDS.has(kind)) return language === 'cy' ? CY_RECORD : RECORD;
  return language === 'cy' ? CY_NEWS : NEWS;
}

export interface NoticeText {
  readonly subject: string;
  readonly text: string;
}

export interface NoticeFacts {
  readonly kind: string;
  readonly recipientType: string;
  readonly channel: NoticeChannel;
  readonly language: Language;
  /** How many notices the message tells of. */
  readonly count: number;
  /** `PHB-RX-########` */
  readonly references: readonly string[];
  /** Paragraphs of a digest. */
  readonly digest?: string;
  /** Where it is read: below our own address. */
  readonly link: string;
  /** Where it is switched off; only in mails. */
  readonly unsubscribeLink?: string;
}

export function noticeText(facts: NoticeFacts): NoticeText {
  const { kind, recipientType, channel, language, count, references, digest = '', link, unsubscribeLink } = facts;
  const { subject, lines, short } = wordingOf(kind, recipientType, language);
  if (channel === 'push') return { subject, text: short };
  if (channel === 'sms') return { subject: '', text: `${short} ${link}` };
  const filled = lines
    .map((line) =>
      line
        .replace('$COUNT', String(count))
        .replace('$REFERENCES', references.join(', '))
        .replace('$DIGEST', () => digest),
    )
    .filter((line) => line !== '');
  const off = unsubscribeLink === undefined ? [] : [OFF[language].replace('$LINK', () => unsubscribeLink)];
  return { subject, text: `${[...filled, link, ...off].join('\n\n')}\n` };
}
