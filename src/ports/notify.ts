/** Tells people about their account: what is handed in decides how. */
export interface Notice {
  readonly kind:
    | 'reset'
    | 'verify-email'
    | 'already-registered'
    | 'recovery-code-used'
    | 'password-changed'
    | 'second-factor-changed'
    | 'second-factor-removed'
    | 'security-key-added'
    | 'security-key-removed'
    | 'app-access-ended';
  /** E-mail address. */
  readonly to: string;
  readonly name: string;
  /** To be opened once, by nobody else. */
  readonly link?: string;
  /** The app that lost what was granted to it. */
  readonly app?: string;
  /** Recovery codes that are left. */
  readonly left?: number;
}

export type Notify = (notice: Notice) => Promise<void>;

/** Notices that wait to be sent, each with its job `notice-send`. They lie sealed, as they may hold a link. */
export interface NoticeStore {
  /** `lifetimeMs`: afterwards there is no use in it. */
  add(notice: Notice, lifetimeMs: number): Promise<void>;
  /** Undefined when it was sent, or is too old. */
  find(id: string): Promise<Notice | undefined>;
  remove(id: string): Promise<void>;
}

/** The job that sends one: its payload is `{ notice: id }`. */
export type NoticeJobKind = 'notice-send';
