/** Topics that a subscription may name. https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/ */
import { MORTAR } from '../canonical.ts';

type Json = Readonly<Record<string, unknown>>;

export interface Topic {
  readonly url: string;
  readonly title: string;
  readonly type: string;
  /** Whether a version is an event; `previous` is absent of what is new. */
  readonly isTrigger: (current: Json, previous: Json | undefined) => boolean;
}

const topic = (name: string, title: string, type: string, elements?: readonly string[]): Topic => ({
  url: `${MORTAR}/SubscriptionTopic/${name}`,
  title,
  type,
  isTrigger: (current, previous) =>
    previous === undefined ||
    elements === undefined ||
    elements.some((name) => JSON.stringify(current[name]) !== JSON.stringify(previous[name])),
});

/** With the elements of which a change is an event; without them each version is one. */
export const TOPICS: readonly Topic[] = [
  topic('patient-change', 'A patient was registered, or the record of the person changed', 'Patient'),
  topic('appointment-change', 'An appointment was booked, moved, cancelled or has taken place', 'Appointment', [
    'status',
    'start',
    'end',
    'participant',
  ]),
  topic('prescription-change', 'A prescription was made, or its status changed', 'MedicationRequest', ['status']),
  topic('dispense-change', 'A medicine was dispensed, or the status of that changed', 'MedicationDispense', ['status']),
];

const BY_URL = new Map(TOPICS.map((one) => [one.url, one]));
export const findTopic = (url: string): Topic | undefined => BY_URL.get(url);
