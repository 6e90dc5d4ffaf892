#include "worker/message.h"

#include <cstring>

namespace manycore::worker {
namespace {

bool decode_head(Bytes body, MessageHead* head, std::vector<BlockPlace>* blocks, Bytes* payload) {
  if (body.size() < sizeof *head) return false;
  std::memcpy(head, body.data(), sizeof *head);
  body = body.subspan(sizeof *head);
  if (head->blocks > kMostBlocks || body.size() < head->blocks * sizeof(BlockPlace)) return false;
  blocks->resize(head->blocks);
  if (head->blocks > 0) std::memcpy(blocks->data(), body.data(), head->blocks * sizeof(BlockPlace));
  for (const BlockPlace& place : *blocks) {
    uint64_t end;
    if (__builtin_add_overflow(place.offset, place.bytes, &end) || end > INT64_MAX) return false;
  }
  *payload = body.subspan(head->blocks * sizeof(BlockPlace));
  return true;
}

}  // namespace

bool decode(Bytes body, Request* request) {
  MessageHead head;
  if (!decode_head(body, &head, &request->blocks, &request->payload)) return false;
  request->ticket = head.ticket;
  request->function = head.number;
  request->flags = head.flags;
  request->deadline = head.time;
  return true;
}

bool decode(Bytes body, Reply* reply) {
  MessageHead head;
  if (!decode_head(body, &head, &reply->blocks, &reply->payload)) return false;
  reply->ticket = head.ticket;
  reply->nanoseconds = head.number;
  reply->began = head.time;
  reply->flags = head.flags;
  return true;
}

}  // namespace manycore::worker
