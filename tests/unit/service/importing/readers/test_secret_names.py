"""Which names are those of secrets, in whatever style they are written, and which only sound like them."""

import pytest

from service.importing.readers.secret_names import Place, is_identifier, is_secret_name, place_below, words


def _names(text: str) -> list[str]:
    return text.split()


SECRET = _names("""
    api_key apiKey API-KEY apikey openai_api_key OPENAI_API_KEY_2 api_key_base64 api_keys zen_api_key iam_apikey
    x-api-key accesskey access_key_id aws_access_key_id aws_secret_access_key MASTERKEY_2 master_key
    masterKey authkey auth-key subscriptionkey Ocp-Apim-Subscription-Key service_key oci_key oci_key_json
    ssl_key license_key langfuse_secret_key SharedAccessKey AccountKey encryption_key api_key_prod api_key_for_eu
    token azure_ad_token aws_session_token aws_web_identity_token aws_bearer_token_bedrock AWS_BEARER_TOKEN_BEDROCK
    databricks_token hf_token accessToken refresh_token bot_token vercel_oidc_token auth_token authtoken token_2
    access_tokens token_prod user_token
    pat azure_pat GITHUB_PAT pat_eu githubpat
    password azure_password dbPassword passwd pwd passphrase oci_pass_phrase passcode login_pass redis_password_old
    secret client_secret clientSecret CLIENT-SECRET langfuse_secret secret_id webhook_secret
    auth http_auth auth_header oauth oauth2 basicAuth authorization Authorization Proxy-Authorization bearer
    session session_cookie cookie Cookies credentials vertex_credentials gcs_credentials_json creds
    dsn connection_string connectionString azure_storage_connection_string connstr
    webhook_url slack_webhook_url webhook webhookUrls discord_webhook
    private_key snowflake_private_key snowflake_jwt jwt client_assertion signature sig hmac salt otp
    client_certificate client_cert pfx pem kubeconfig kube_config sas_url sas_token SharedAccessSignature
    oci_fingerprint key_fingerprint access_code authCode seed_phrase
    psk wifi_psk pw db_pw pin card_pin otp_seed totpSeed wallet_seed recovery_phrase recovery_codes backup_code
    unlock_code activation_code licenseKey licence_key license_code tokens secretsManagerValue secret_name_value
    kennwort Passwort db_passwort contraseña CONTRASEÑA clave_secreta senha mot_de_passe motDePasse clé_secrète
    clé_api wachtwoord hasło heslo lösenord geheimnis segredo пароль секрет パスワード 密码 密碼 비밀번호
""")
HARMLESS = _names("""
    model model_name api_base api_version base_url organization region_name rpm tpm timeout temperature user username
    azure_username login custom_llm_provider litellm_credential_name credential_name tags tag_regex
    aws_region_name aws_role_name aws_session_name aws_profile_name aws_bedrock_runtime_endpoint aws_sts_endpoint
    aws_external_id aws_session_tags aws_bedrock_project_id aws_batch_role_arn s3_bucket_name s3_encryption_key_id
    sagemaker_input_component_name vertex_project vertex_location azure_scope tenant_id client_id azure_deployment
    oci_user oci_tenancy oci_region oci_compartment_id watsonx_region_name project_id space_id databricks_host
    snowflake_account account_id warehouse langfuse_public_key langfuse_host
    max_tokens max_completion_tokens max_token max_input_tokens min_tokens tokenizer custom_tokenizer
    stop_token eos_token bosToken pad_token decoder_start_token input_cost_per_token output_cost_per_audio_token
    input_cost_per_token_batches cache_read_input_token_cost token_limit token_count token_type token_url
    default_api_key_tpm_limit default_api_key_rpm_limit access_token_url api_key_name api_key_env private_key_path
    password_policy secret_name aws_secret_arn
    prompt_cache_key sort_key primary_key partition_key public_key keyword keywords monkey hotkeys keyboard
    auth_type auth_url author authors configurable_clientside_auth_params session_id litellm_session_id
    sessions_per_user pattern patience passage compass bypass passthrough significant design assign code mode
    description notes
    opinion pinned pin_memory license licence_name recovery_policy seed_count schlüssel_name größe 模型 説明 モデル
    system stop seed mode base_model team_id access_groups certificate_authority ssl_verify system_fingerprint version
""")


@pytest.mark.parametrize("name", SECRET)
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(words(name))


@pytest.mark.parametrize("name", HARMLESS)
def test_names_that_only_sound_like_them(name: str) -> None:
    assert not is_secret_name(words(name))


@pytest.mark.parametrize("name", ["X-Gateway-Auth", "X-Signature", "X-Session-Id", "key", "X-Token-Id", "x-amz-token"])
def test_among_headers_more_names_are_those_of_secrets(name: str) -> None:
    assert is_secret_name(words(name), Place.HEADER)


@pytest.mark.parametrize(
    "name", ["X-Team", "anthropic-beta", "X-Author", "User-Agent", "OpenAI-Organization", "Accept"]
)
def test_headers_without_secrets(name: str) -> None:
    assert not is_secret_name(words(name), Place.HEADER)


@pytest.mark.parametrize("name", ["code", "sig", "signature", "token", "key", "subscription-key", "X-Amz-Signature"])
def test_in_a_query_string_more_names_are_those_of_secrets(name: str) -> None:
    assert is_secret_name(words(name), Place.QUERY)


@pytest.mark.parametrize("name", ["api-version", "deployment", "max_tokens", "region", "v"])
def test_query_parameters_without_secrets(name: str) -> None:
    assert not is_secret_name(words(name), Place.QUERY)


def test_what_is_below_a_name() -> None:
    assert place_below("extra_headers", Place.FIELD) is Place.HEADER
    for name in ("extra_query", "query_params", "default_query", "query_string"):
        assert place_below(name, Place.FIELD) is Place.QUERY
    assert place_below("callback", Place.HEADER) is Place.HEADER
    assert place_below("jquery", Place.FIELD) is Place.FIELD


@pytest.mark.parametrize("name", ["aws_role_name", "model_id", "oci_user", "vertex_project", "account", "region"])
def test_identifiers_may_look_random(name: str) -> None:
    assert is_identifier(name)


@pytest.mark.parametrize("part", ["_", "1", "a_", "per_", "pad_", "json_", "api_key", "token", "keys", "max_", "query"])
def test_a_name_of_any_length_is_searched_in_one_go(part: str) -> None:
    for end in ("", "z", "token", "_key", "_json"):
        is_secret_name(words(part * 20_000 + end), Place.QUERY)
