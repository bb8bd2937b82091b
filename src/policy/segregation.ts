/** What one person may not do after another thing they did. SECURITY AZ-08 */
import type { Caller } from '../ports/caller.ts';
import type { Filter } from '../ports/policy.ts';
import { refersTo } from './filters.ts';
import { selves } from './relation.ts';

/** Prescriptions that the caller signed: somebody else dispenses them. */
export const signedBy = ({ user }: Caller): Filter => refersTo('requester', user ? selves(user) : []);

/** Whether what one person asked for may be decided by another. SECURITY DP-02, DP-04 */
export const isSecondPerson = (askedBy: string, decidedBy: string): boolean => askedBy !== decidedBy;
