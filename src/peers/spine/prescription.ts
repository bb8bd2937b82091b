/** A prescription as the local Spine keeps it, and the states it can be in. eps/REFERENCE sections 8.2 and 12.6. */

export const PRESCRIPTION_STATUS = {
  '0001': 'To Be Dispensed',
  '0002': 'With Dispenser',
  '0003': 'With Dispenser - Active',
  '0004': 'Expired',
  '0005': 'Cancelled',
  '0006': 'Dispensed',
  '0007': 'Not Dispensed',
  '0008': 'Claimed',
  '0009': 'No-Claimed',
  '9000': 'Repeat Dispense future instance',
  '9001': 'Prescription future instance',
} as const;
export type Status = keyof typeof PRESCRIPTION_STATUS;

export const ITEM_STATUS = {
  '0001': 'Item fully dispensed',
  '0002': 'Item not dispensed',
  '0003': 'Item dispensed - partial',
  '0004': 'Item not dispensed owing',
  '0005': 'Item Cancelled',
  '0006': 'Expired',
  '0007': 'To Be Dispensed',
  '0008': 'Item with dispenser',
} as const;
export type ItemStatus = keyof typeof ITEM_STATUS;

export const isStatus = (code: string): code is Status => Object.hasOwn(PRESCRIPTION_STATUS, code);
export const isItemStatus = (code: string): code is ItemStatus => Object.hasOwn(ITEM_STATUS, code);

/** In which states items of a prescription in this state may be, once a dispenser has told. */
export const ITEMS_OF: Readonly<Partial<Record<Status, readonly ItemStatus[]>>> = {
  '0003': ['0001', '0002', '0003', '0004', '0005', '0006', '0008'],
  '0006': ['0001', '0002', '0005', '0006'],
  '0007': ['0002', '0005', '0006'],
};

/** Where a dispense notification may lead from a state. */
export const DISPENSED_FROM: Readonly<Partial<Record<Status, readonly Status[]>>> = {
  '0002': ['0003', '0006', '0007'],
  '0003': ['0003', '0006', '0007'],
};
/** And an item. What was supplied in full or not at all stays so. */
export const ITEM_FROM: Readonly<Partial<Record<ItemStatus, readonly ItemStatus[]>>> = {
  '0008': ['0001', '0002', '0003', '0004', '0008'],
  '0003': ['0001', '0003', '0004'],
  '0004': ['0001', '0002', '0003', '0004'],
  '0001': ['0001'],
  '0002': ['0002'],
  '0005': ['0005', '0002'],
  '0006': ['0006', '0002'],
};

export const NOT_YET_RELEASED: readonly Status[] = ['0001', '9000', '9001'];
export const DONE: readonly Status[] = ['0004', '0005', '0006', '0007', '0008', '0009'];

/** What time does to a state, and to the items in it. */
export const EXPIRES_TO: Readonly<Partial<Record<Status, Status>>> = {
  '0001': '0004',
  '0002': '0004',
  '0003': '0006',
  '9000': '0004',
  '9001': '0004',
};
export const ITEM_EXPIRES_TO: Readonly<Partial<Record<ItemStatus, ItemStatus>>> = {
  '0003': '0001',
  '0004': '0002',
  '0007': '0006',
  '0008': '0006',
};

export interface Release {
  readonly requestId: string;
  readonly responseId: string;
  /** ms UTC */
  readonly at: number;
  readonly odsCode: string;
  /** The dispenser's AgentPerson as it came, canonical. */
  readonly agent: string;
  readonly name: string;
}

export interface Issue {
  readonly number: number;
  status: Status;
  readonly items: Record<string, ItemStatus>;
  /** From when it may be released, ms UTC. Of an issue after the first also the one before must be done. */
  readonly availableFrom: number;
  readonly expiresAt: number;
  release?: Release;
  /** Dispense notifications that stand, each with what was before it. */
  readonly notifications: {
    readonly id: string;
    readonly at: number;
    readonly before: { readonly status: Status; readonly items: Readonly<Record<string, ItemStatus>> };
  }[];
  /** Claims, the last one stands. */
  readonly claims: { readonly id: string; readonly at: number }[];
  completedAt?: number;
}

export interface Item {
  readonly id: string;
  readonly code: string;
  readonly name: string;
  readonly quantity: string;
  readonly unit: string;
  readonly dosage: string;
}

export interface Cancellation {
  readonly requestId: string;
  readonly itemId: string;
  readonly reason: string;
  /** SDS user id of who asked. */
  readonly by: string;
}

export interface Prescription {
  /** Short form. */
  readonly id: string;
  readonly uuid: string;
  readonly messageId: string;
  readonly nhsNumber: string;
  readonly treatment: '0001' | '0002' | '0003';
  readonly nominated: string | null;
  /** ms UTC */
  readonly issuedAt: number;
  readonly prescriber: { readonly odsCode: string; readonly name: string; readonly phone: string };
  /** The author's AgentPerson, canonical. */
  readonly author: string;
  readonly items: readonly Item[];
  readonly issues: readonly Issue[];
  /** Cancellations that wait until the prescription comes back from its dispenser. */
  readonly pending: Cancellation[];
  receivedAt: number;
  changedAt: number;
}

/** The issue that can be worked with now: the last that is not a future one, else the first. */
export const currentIssue = ({ issues }: Prescription): Issue =>
  issues.findLast(({ status }) => status !== '9000' && status !== '9001') ?? (issues[0] as Issue);

export const findIssue = ({ issues }: Prescription, number: number): Issue | undefined =>
  issues.find((issue) => issue.number === number);
