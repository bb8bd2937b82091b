/** The tracker: where a prescription is, for those who ask. eps/REFERENCE section 12.6. */
import {
  currentIssue,
  findIssue,
  type Issue,
  type ItemStatus,
  PRESCRIPTION_STATUS,
  type Prescription,
} from './prescription.ts';
import type { Spine } from './spine.ts';
import { formatInstant } from './time.ts';

const ITEM_NAMES: Readonly<Record<ItemStatus, string>> = {
  '0001': 'Dispensed',
  '0002': 'Not Dispensed',
  '0003': 'Dispensed - Partial',
  '0004': 'Not Dispensed - Owing',
  '0005': 'Cancelled',
  '0006': 'Expired',
  '0007': 'To be Dispensed',
  '0008': 'With Dispenser',
};
const TREATMENTS = {
  '0001': 'Acute Prescription',
  '0002': 'Repeat Prescribing',
  '0003': 'Repeat Dispensing',
} as const;
const FOUND = { version: '1', reason: '', statusCode: '0' };
const notFound = (reason: string): unknown => ({ version: '1', reason, statusCode: '8', prescriptions: {} });
const DATE = /^\d{8}$/;

type Query = Pick<URLSearchParams, 'get'>;

export function itemSummary(spine: Spine, query: Query): unknown {
  const nhsNumber = query.get('nhsNumber');
  if (nhsNumber === null) return { version: '1', reason: 'NHS number is missing', statusCode: '1', prescriptions: {} };
  const [earliest, latest] = ['earliestDate', 'latestDate'].map((name) => query.get(name) ?? '');
  const status = query.get('prescriptionStatus');
  const found = spine
    .ofPatient(nhsNumber)
    .filter((prescription) => {
      const day = formatInstant(prescription.issuedAt).slice(0, 8);
      return (
        !(DATE.test(earliest ?? '') && day < (earliest ?? '')) && !(DATE.test(latest ?? '') && day > (latest ?? ''))
      );
    })
    .map((prescription) => [prescription, currentIssue(prescription)] as const)
    .filter(([, issue]) => status === null || PRESCRIPTION_STATUS[issue.status] === status);
  return {
    ...FOUND,
    prescriptions: Object.fromEntries(
      found.map(([prescription, issue]) => [
        prescription.id,
        {
          ...describe(prescription, issue),
          lineItems: Object.fromEntries(prescription.items.map(({ id, name }) => [id, name])),
        },
      ]),
    ),
  };
}

export function itemDetails(spine: Spine, query: Query): unknown {
  const prescription = spine.find(query.get('prescriptionId') ?? '');
  if (prescription === undefined) return notFound('Prescription not found');
  const number = query.get('issueNumber');
  const issue = number === null ? currentIssue(prescription) : findIssue(prescription, Number(number));
  if (issue === undefined) return notFound('Prescription repeat instance not found');
  const place = (ods: string, name: string, phone: string): unknown => ({ name, address: '', phone, ods });
  const { prescriber, nominated } = prescription;
  const lastNotified = issue.notifications.at(-1)?.at;
  const before = findIssue(prescription, issue.number - 1)?.notifications.at(-1)?.at;
  return {
    ...FOUND,
    [prescription.id]: {
      ...describe(prescription, issue),
      prescriptionDownloadDate: date(issue.release?.at),
      prescriptionDispensedDate: date(lastNotified),
      prescriptionClaimedDate: date(issue.claims.at(-1)?.at),
      prescriptionLastIssueDispensedDate: date(before),
      prescriber: place(prescriber.odsCode, prescriber.name, prescriber.phone),
      nominatedPharmacy: place(nominated ?? '', '', ''),
      dispensingPharmacy: place(issue.release?.odsCode ?? '', issue.release?.name ?? '', ''),
      lineItems: Object.fromEntries(
        prescription.items.map(({ id, name, quantity, unit, dosage, code }) => [
          id,
          {
            description: name,
            quantity,
            uom: unit,
            dosage,
            itemStatus: ITEM_NAMES[issue.items[id] ?? '0007'],
            code,
          },
        ]),
      ),
    },
  };
}

const date = (at: number | undefined): string => (at === undefined ? '' : formatInstant(at));

function describe(prescription: Prescription, issue: Issue): Record<string, unknown> {
  return {
    prescriptionStatus: PRESCRIPTION_STATUS[issue.status],
    prescriptionIssueDate: formatInstant(prescription.issuedAt),
    lastEventDate: formatInstant(Math.max(prescription.changedAt, issue.completedAt ?? 0)),
    patientNhsNumber: prescription.nhsNumber,
    epsVersion: 'R2',
    pendingCancellations: prescription.pending.length > 0 ? 'True' : 'False',
    prescriptionTreatmentType: TREATMENTS[prescription.treatment],
    repeatInstance: { currentIssue: String(issue.number), totalAuthorised: String(prescription.issues.length) },
  };
}
