#pragma once
/// Private to store/: PostgreSQL's client library, loaded when a server is named for the first time. It brings two
/// dozen others (Kerberos, LDAP, TLS) that would double the time in which `nearfar` starts, and most people never need
/// it. Safe from any thread.
#include <libpq-fe.h>

namespace nearfar {

/// Its functions under their own names: libpq().PQexec(…).
struct Libpq {
  /// Error(store), with what to install, where the library or a function of it is missing.
  static void* symbol(const char* name);

#define NEARFAR_LIBPQ(name) decltype(&::name) name = reinterpret_cast<decltype(&::name)>(symbol(#name))
  NEARFAR_LIBPQ(PQclear);
  NEARFAR_LIBPQ(PQcmdStatus);
  NEARFAR_LIBPQ(PQcmdTuples);
  NEARFAR_LIBPQ(PQconnectdbParams);
  NEARFAR_LIBPQ(PQconninfoFree);
  NEARFAR_LIBPQ(PQconninfoParse);
  NEARFAR_LIBPQ(PQenterPipelineMode);
  NEARFAR_LIBPQ(PQerrorMessage);
  NEARFAR_LIBPQ(PQexec);
  NEARFAR_LIBPQ(PQexecPrepared);
  NEARFAR_LIBPQ(PQexitPipelineMode);
  NEARFAR_LIBPQ(PQfinish);
  NEARFAR_LIBPQ(PQfreemem);
  NEARFAR_LIBPQ(PQgetisnull);
  NEARFAR_LIBPQ(PQgetlength);
  NEARFAR_LIBPQ(PQgetResult);
  NEARFAR_LIBPQ(PQgetvalue);
  NEARFAR_LIBPQ(PQntuples);
  NEARFAR_LIBPQ(PQparameterStatus);
  NEARFAR_LIBPQ(PQpipelineSync);
  NEARFAR_LIBPQ(PQprepare);
  NEARFAR_LIBPQ(PQresultErrorField);
  NEARFAR_LIBPQ(PQresultStatus);
  NEARFAR_LIBPQ(PQsendQueryPrepared);
  NEARFAR_LIBPQ(PQsetNoticeProcessor);
  NEARFAR_LIBPQ(PQstatus);
#undef NEARFAR_LIBPQ
};

const Libpq& libpq();

}  // namespace nearfar
