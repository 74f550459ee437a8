# Copyright (c) The Coracle authors
# SPDX-License-Identifier: BSD-2-Clause
"""Image bytes that are elsewhere: a client for the OCI distribution API and Docker's registries.

    client        RegistryClient: manifests, configurations and blobs of one registry and its mirrors
    blob_reader   a blob as a stream that survives cuts
    endpoint      one server: its scheme, its sign-in, its requests, retries
    auth          anonymous → basic → bearer, as far as the server asks and as it may ask
    credentials   where user names and passwords come from
    challenges    `WWW-Authenticate`
    transport     requests and redirects within one trust
    connection    one socket: TLS, proxy, and a watch on its progress
    response      an answer, read as far as wanted; chunks: its chunked form
    addresses     which hosts a server may send us to
    tls proxies   from certs.d directories, from the environment
    failures      what went wrong, as a sentence with a remedy
    patience      how long to go on
    origins       scheme, host, port: the unit that credentials belong to
    options       what a task may say

Nothing a registry says is believed: sizes are bounded, digests are computed, headers are hints. Credentials
go to the origin they were given for, and to the token server that `origins.may_sign_in_at` accepts.
`http.client` and `ssl` are imported when the first connection is made.
"""
