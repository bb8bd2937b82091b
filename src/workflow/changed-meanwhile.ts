/** Another request took away what was found: the whole transaction is tried again, as after a serialisation failure. */
export class ChangedMeanwhile extends Error {
  readonly code = '40001';
}
