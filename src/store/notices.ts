import type { EndpointNoticeKind, NoticeDetail } from '../domain/notice.ts';
import { NOTICE_CODES } from './codes.ts';
import type { Queryable } from './in-transaction.ts';
import { plainArray } from './plain-array.ts';
import type { Transaction } from './prisma.ts';

/** A change of an endpoint that its tenant is told of. Notices of deliveries are written by `settle`. */
export interface EndpointNotice {
  readonly kind: EndpointNoticeKind;
  readonly tenantNum: number;
  readonly endpointNum: number;
  readonly detail: NoticeDetail;
}

/** One of the owner of the endpoint's lane: the numbers of a process rise, by which each is told once, however often it is saved. */
export interface NumberedNotice extends EndpointNotice {
  readonly number: number;
}

/** Writes a notice, in the transaction that makes the change. */
export async function appendNotice(transaction: Transaction, notice: EndpointNotice): Promise<void> {
  const { kind, tenantNum, endpointNum, detail } = notice;
  await transaction.systemNotice.create({
    data: { kind: NOTICE_CODES[kind], tenantNum, endpointNum, detail: { ...detail } },
  });
}

/** The same for what plain SQL changed, on the connection that changed it and in its transaction; one statement for all. */
export async function appendNotices(client: Queryable, notices: readonly EndpointNotice[]): Promise<void> {
  if (notices.length === 0) return;
  await client.query(
    `INSERT INTO system_notices (kind, tenant_num, endpoint_num, detail)
     SELECT * FROM unnest($1::smallint[], $2::int[], $3::int[], $4::jsonb[])`,
    [
      plainArray(notices.map(({ kind }) => NOTICE_CODES[kind])),
      plainArray(notices.map(({ tenantNum }) => tenantNum)),
      plainArray(notices.map(({ endpointNum }) => endpointNum)),
      notices.map(({ detail }) => JSON.stringify(detail)),
    ],
  );
}
