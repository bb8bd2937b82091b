import type { Knex } from 'knex';

// Jobs that gather what comes while they wait: one of a word waits at a time, and whoever takes it takes the word off it. And
// deliveries with a job of their own, as they wait for something that those told of together with them do not wait for.

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`alter table mortar.job add column gather text;
create unique index job_gather on mortar.job (kind, gather) where gather is not null;
alter table mortar.notice_delivery add column apart boolean not null default false;
create index notice_delivery_group on mortar.notice_delivery (recipient, channel, kind, id) where state = 'waiting' and not apart;
drop index mortar.notice_delivery_waiting`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`create index notice_delivery_waiting on mortar.notice_delivery (recipient, channel, kind, id) where state = 'waiting';
alter table mortar.notice_delivery drop column apart;
alter table mortar.job drop column gather`);
}
