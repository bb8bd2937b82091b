/** The token on paper: a sheet that the patient takes to the pharmacy, and a label. MISSION M10 */

import type { PrescriptionToken } from '../../ports/prescription-tokens.ts';
import { code128 } from '../../standards/prescription-token/code128.ts';
import {
  filledRect,
  formatPdf,
  lineAt,
  matrixAt,
  type PdfPage,
  textAt,
  widthOf,
  wrap,
} from '../../standards/prescription-token/pdf.ts';
import { isControlledTask } from './controlled.ts';
import type { FoundTask } from './find-task.ts';
import { type DispensingState, stateOf } from './states.ts';

export type Modules = readonly (readonly boolean[])[];

export interface SheetParts {
  readonly found: FoundTask;
  /** How the patient can be reached: telephone, e-mail, address. */
  readonly contact: readonly string[];
  /** Squares of a QR code of a text. */
  readonly qr: (text: string) => Modules;
  /** ms UTC */
  readonly at: number;
}

/** What the QR code for existing scanners says. */
export const hmacQr = ({ payload, signature }: Pick<PrescriptionToken, 'payload' | 'signature'>): string =>
  JSON.stringify({ payload, signature });

const A4 = { width: 595.28, height: 841.89 };
/** 100 mm × 62 mm */
const LABEL = { width: 283.46, height: 175.75 };
const MARGIN = 42;

const NOTICES = [
  'Take this sheet, or show it on your telephone, to the pharmacy named above.',
  'You may be asked to show who you are. For controlled drugs a passport, a driving licence or an identity number is needed.',
  'This prescription is dispensed once. It is not issued again if it is lost, copied or expired: keep it safe.',
];
const STATES: Readonly<Record<DispensingState, string>> = {
  ready: '',
  held: 'ON HOLD - NOT VALID',
  dispensed: 'DISPENSED - NOT VALID',
  expired: 'EXPIRED - NOT VALID',
  cancelled: 'CANCELLED - NOT VALID',
};

export function tokenSheet({ found, contact, qr, at }: SheetParts): Buffer {
  const { token, task } = found;
  const { payload } = token;
  const { pharmacy } = payload;
  const isOver = stateOf(task) === 'ready' && token.expiresAt <= at;
  const state = STATES[isOver ? 'expired' : stateOf(task)];
  const width = A4.width - 2 * MARGIN;
  const content: string[] = [];
  let y = A4.height - MARGIN;
  const heading = (text: string, own = width): void => {
    y -= 26;
    content.push(textAt(MARGIN, y, 11, text, 'bold'), lineAt(MARGIN, y - 5, MARGIN + own, y - 5));
    y -= 8;
  };
  const line = (text: string, size = 10, most = 3, own = width): void => {
    for (const part of wrap(text, own, size, most)) {
      y -= size + 4;
      content.push(textAt(MARGIN, y, size, part));
    }
  };
  y -= 16;
  content.push(textAt(MARGIN, y, 18, 'Electronic prescription', 'bold'));
  if (state !== '') content.push(textAt(MARGIN + width - widthOf(state, 14, 'bold'), y, 14, state, 'bold'));
  y -= 18;
  content.push(textAt(MARGIN, y, 12, token.tokenId, 'bold'));
  const [qrSize, qrTop] = [170, y - 14];
  const qrLeft = MARGIN + width - qrSize;
  content.push(...matrixAt(qrLeft, qrTop - qrSize, qrSize, qr(token.token)));
  const beside = width - qrSize - 20;
  heading('Patient', beside);
  line(payload.patient, 13, 2, beside);
  if (payload.hpn !== '') line(`Health number ${payload.hpn}`, 10, 1, beside);
  for (const text of contact) line(text, 10, 2, beside);
  y = Math.min(y, qrTop - qrSize);
  heading('Medicine');
  line(payload.medication, 13, 2);
  line(payload.dosage, 11, 4);
  if (payload.frequency !== '') line(payload.frequency, 11, 2);
  if (isControlledTask(task)) line('Controlled drug: proof of identity is needed to collect it.', 10, 1);
  heading('Prescriber');
  line(payload.prescriber, 11, 1);
  heading('Pharmacy');
  line(pharmacy.name === '' ? 'Any pharmacy' : pharmacy.name, 11, 2);
  const place = [pharmacy.address, pharmacy.city, pharmacy.postcode].filter((one) => one !== '').join(', ');
  if (place !== '') line(place);
  if (pharmacy.phone !== '') line(`Telephone ${pharmacy.phone}`);
  heading('Validity');
  line(
    `Issued ${payload.issued.slice(0, 10)}, valid until ${payload.expiry.slice(0, 10)} (${payload.expiry.slice(11, 16)} UTC)`,
  );
  heading('Please note');
  for (const text of NOTICES) line(text, 9, 2);
  const bars = code128(token.tokenId);
  content.push(...barsAt(MARGIN, MARGIN + 14, 220, 44, bars), textAt(MARGIN + 20, MARGIN, 10, token.tokenId));
  content.push(
    ...matrixAt(MARGIN + width - 110, MARGIN, 110, qr(hmacQr(token))),
    textAt(MARGIN + width - 110, MARGIN + 114, 7, 'For scanners of the first kind'),
  );
  return formatPdf([{ ...A4, content }], `Prescription ${token.tokenId}`);
}

/** For the bag: no more than the pharmacy needs to find it. */
export function tokenLabel({ found, qr }: SheetParts): Buffer {
  const { token } = found;
  const { payload } = token;
  const left = 10;
  const qrSize = 96;
  const width = LABEL.width - qrSize - 3 * left;
  let y = LABEL.height - 8;
  const content: string[] = [];
  const line = (text: string, size: number, most: number, font: 'regular' | 'bold' = 'regular'): void => {
    for (const part of wrap(text, width, size, most, font)) {
      y -= size + 2.5;
      content.push(textAt(left, y, size, part, font));
    }
  };
  line(payload.patient, 11, 2, 'bold');
  line(payload.medication, 10, 3);
  line(payload.dosage, 8, 4);
  line(payload.pharmacy.name, 8, 2);
  line(`Valid until ${payload.expiry.slice(0, 10)}`, 8, 1);
  content.push(
    ...matrixAt(LABEL.width - qrSize - left, LABEL.height - qrSize - 8, qrSize, qr(token.token)),
    ...barsAt(left, 18, 190, 32, code128(token.tokenId)),
    textAt(left + 20, 7, 9, token.tokenId),
  );
  return formatPdf([{ ...LABEL, content }] satisfies PdfPage[], `Prescription ${token.tokenId}`);
}

function barsAt(x: number, y: number, width: number, height: number, bars: readonly boolean[]): readonly string[] {
  const side = width / bars.length;
  return bars.flatMap((isDark, i) => (isDark ? [filledRect(x + i * side, y, side + 0.01, height)] : []));
}
