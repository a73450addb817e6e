%% SPDX-License-Identifier: Apache-2.0
%%
%% assume.erl - a program that knows nothing of homing and holds one connection, as holder.py does, by p1_pgsql. The
%% runtime's resolver is another process (inet_gethost): the runtime itself is given an address for no name.
%%
%% Its lines begin with "server"; others are of p1_pgsql.
%% usage: erl -noshell -run assume main HOST PORT
-module(assume).
-export([main/1]).

main([Host, Port]) ->
    process_flag(trap_exit, true),
    {ok, Address} = inet:getaddr(Host, inet),
    At = {inet:ntoa(Address), list_to_integer(Port)},
    serve(At, connect(At)).

connect({Host, Port}) ->
    {ok, Connection} = pgsql:connect([{host, Host}, {port, Port}, {user, "postgres"}, {database, "postgres"},
                                      {password, ""}]),
    Connection.

serve(At, Held) ->
    {Still, Said} = answer(At, Held),
    io:format("server ~s~n", [Said]),
    case io:get_line("") of
        eof -> halt();
        _ -> serve(At, Still)
    end.

answer(At, Held) ->
    case catch ask(Held) of
        {ok, Server} -> {Held, Server};
        _ ->
            Anew = connect(At),
            {ok, Server} = ask(Anew),
            {Anew, ["anew ", Server]}
    end.

ask(Connection) ->
    true = is_process_alive(Connection),
    {ok, [{_, _, [[Server]]}]} = pgsql:squery(Connection, "SELECT host(inet_server_addr())"),
    {ok, Server}.
